-- The application's role: it reads, and it calls a few functions. It owns nothing and writes to no table.

do $$ begin
    if not exists (select from pg_roles where rolname = 'aaf_app') then
        create role aaf_app nologin;
    end if;
exception when duplicate_object or unique_violation then
    null; -- another database of this server was migrated at the same moment
end $$;

revoke all on schema aaf from public;
revoke execute on all functions in schema aaf from public;
grant usage on schema aaf to aaf_app;
grant select on all tables in schema aaf to aaf_app;
grant execute on function aaf.append(uuid, uuid, bigint, bytea[], bytea[], text[], integer[], boolean[], jsonb) to aaf_app;
grant execute on function aaf.open_writer(uuid, text) to aaf_app;
grant execute on function aaf.heartbeat(uuid) to aaf_app;
grant execute on function aaf.close_writer(uuid) to aaf_app;
grant execute on function aaf.leave(uuid[]) to aaf_app;
grant execute on function aaf.create_ca(text, bytea) to aaf_app;
grant execute on function aaf.ensure_action_partitions() to aaf_app;
