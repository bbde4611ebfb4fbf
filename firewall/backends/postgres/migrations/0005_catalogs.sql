-- Catalogs that users add: what names the operations of their own services.

alter table aaf.versions add column catalogs bigint not null default 0;

-- Users' catalogs: one of a service is in force at a time, the others are history. `facts` is text (docs/catalog-format.md),
-- `revision` what names it in decisions.
create table aaf.catalogs (
    id         uuid primary key,
    service    text not null,
    revision   text not null,
    facts      text not null,
    bytes      integer not null,
    hosts      text[] not null,
    operations integer not null,
    added_by   text not null,
    added_at   timestamptz not null default clock_timestamp(),
    removed_by text,
    removed_at timestamptz
);
create unique index catalogs_one_in_force on aaf.catalogs (service) where removed_at is null;

-- Catalogs: put one in force, in the place of the one of its service that is.
create function aaf.change_add_catalog(c jsonb) returns jsonb language plpgsql as $$
begin
    if exists (select from aaf.catalogs where service = c ->> 'service' and revision = c ->> 'revision' and removed_at is null) then
        return '{"lost": "same"}';
    end if;
    if (c ->> 'count_limit')::bigint <= (
        select count(*) from aaf.catalogs where service <> c ->> 'service' and removed_at is null)
    then
        return '{"lost": "too-many"}';
    end if;
    if (c ->> 'bytes_limit')::bigint < octet_length(c ->> 'facts') + (
        select coalesce(sum(bytes), 0) from aaf.catalogs where service <> c ->> 'service' and removed_at is null)
    then
        return '{"lost": "too-large"}';
    end if;
    update aaf.catalogs set removed_by = c ->> 'by', removed_at = clock_timestamp()
    where service = c ->> 'service' and removed_at is null;
    insert into aaf.catalogs (id, service, revision, facts, bytes, hosts, operations, added_by)
    values ((c ->> 'catalog_id')::uuid, c ->> 'service', c ->> 'revision', c ->> 'facts', octet_length(c ->> 'facts'),
            array(select jsonb_array_elements_text(c -> 'hosts')), (c ->> 'operations')::integer, c ->> 'by');
    update aaf.versions set catalogs = catalogs + 1;
    perform pg_notify('aaf_catalogs', c ->> 'service');
    return '{}';
end $$;

-- Catalogs: the one that was meant is in force no more.
create function aaf.change_remove_catalog(c jsonb) returns jsonb language plpgsql as $$
begin
    update aaf.catalogs set removed_by = c ->> 'by', removed_at = clock_timestamp()
    where service = c ->> 'service' and revision = c ->> 'revision' and removed_at is null;
    if not found then
        return '{"lost": "missing"}';
    end if;
    update aaf.versions set catalogs = catalogs + 1;
    perform pg_notify('aaf_catalogs', c ->> 'service');
    return '{}';
end $$;

create or replace function aaf.apply_change(p_writer uuid, c jsonb) returns jsonb language plpgsql as $$
begin
    return case c ->> 'change'
        when 'open_approval' then aaf.change_open_approval(p_writer, c)
        when 'spend_grant' then aaf.change_spend_grant(c)
        when 'cast_vote' then aaf.change_cast_vote(c)
        when 'expire_approval' then aaf.change_expire_approval(c)
        when 'create_agent' then aaf.change_create_agent(c)
        when 'add_token' then aaf.change_add_token(c)
        when 'revoke_token' then aaf.change_revoke_token(c)
        when 'disable_agent' then aaf.change_disable_agent(c)
        when 'create_key' then aaf.change_create_key(c)
        when 'revoke_key' then aaf.change_revoke_key(c)
        when 'activate_policy' then aaf.change_activate_policy(c)
        when 'claim_key' then aaf.change_claim_key(c)
        when 'add_catalog' then aaf.change_add_catalog(c)
        when 'remove_catalog' then aaf.change_remove_catalog(c)
    end;
end $$;

revoke execute on function aaf.change_add_catalog(jsonb), aaf.change_remove_catalog(jsonb) from public;
grant select on aaf.catalogs to aaf_app;
