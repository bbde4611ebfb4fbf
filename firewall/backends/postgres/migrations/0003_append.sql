-- The one door through which anything is written: entries of the chain, with the changes of state that go with them.

-- Partitions of the chain, 2^20 entries each. ATTACH takes a lock that does not wait for readers, unlike CREATE … PARTITION OF.
create function aaf.ensure_audit_partition(p_seq bigint) returns void language plpgsql as $$
declare
    n     bigint := p_seq >> 20;
    base  text;
begin
    foreach base in array array['audit_log', 'audit_parts'] loop
        if to_regclass(format('aaf.%I', base || '_' || n)) is null then
            execute format('create table aaf.%I (like aaf.%I including defaults including constraints)', base || '_' || n, base);
            execute format('alter table aaf.%I attach partition aaf.%I for values from (%s) to (%s)',
                           base, base || '_' || n, n << 20, (n + 1) << 20);
            execute format('grant select on aaf.%I to aaf_app', base || '_' || n);
        end if;
    end loop;
end $$;

-- Partitions of `actions` by month, this one and the next two. Identifiers are UUIDv7: their first 48 bits are milliseconds.
create function aaf.ensure_action_partitions() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    month timestamptz;
    name  text;
begin
    perform pg_advisory_xact_lock(hashtext('aaf.actions'));
    for i in 0 .. 2 loop
        month := date_trunc('month', clock_timestamp() at time zone 'UTC') at time zone 'UTC' + make_interval(months => i);
        name := 'actions_' || to_char(month at time zone 'UTC', 'YYYYMM');
        if to_regclass('aaf.' || name) is null then
            execute format('create table aaf.%I (like aaf.actions including defaults including constraints)', name);
            execute format('alter table aaf.actions attach partition aaf.%I for values from (%L) to (%L)', name,
                           aaf.first_id(month), aaf.first_id(month + interval '1 month'));
            execute format('grant select on aaf.%I to aaf_app', name);
        end if;
    end loop;
end $$;

-- The smallest UUIDv7 of an instant.
create function aaf.first_id(p_at timestamptz) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Append a batch. One array element an entry: `p_heads` its bytes up to the writer's number, `p_parts` its sealed parts (or
-- null), `p_events` its type, `p_items` the number (from 0) of the item it belongs to, `p_settles` whether it is written only
-- if the item's change settles. `p_changes`: null, or one element an item (null for none).
-- Returns {"first": position of the first entry written, "changes": {item: what its change returned}}.
-- A retry of a batch that had committed, told by `p_batch`, returns what it returned then.
create function aaf.append(
    p_writer uuid, p_batch uuid, p_first bigint, p_heads bytea[], p_parts bytea[], p_events text[], p_items integer[], p_settles boolean[],
    p_changes jsonb
) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    w          aaf.writers;
    h          record;
    s          bigint;
    n          bigint;
    leaf       bytea;
    body       bytea;
    hash       bytea;
    item       integer := -1;
    outcome    jsonb;
    skip       boolean := false;
    settled    boolean := true;
    seqs       bigint[] := '{}';
    writer_seqs bigint[] := '{}';
    events     text[] := '{}';
    bodies     bytea[] := '{}';
    hashes     bytea[] := '{}';
    leaves     bytea[] := '{}';
    parts      bytea[] := '{}';
    changes    jsonb := '{}';
    at_        timestamptz;
    result     jsonb;
begin
    -- Never weaker than a durable commit, whatever the session or the role says; stronger settings stay.
    if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    select * into h from aaf.audit_head for update;
    select * into w from aaf.writers where id = p_writer for update;
    if not found or w.stopped_at is not null then
        raise exception 'no such writer' using errcode = 'AAF01';
    end if;
    if w.next_seq <> p_first then
        if w.last_batch = p_batch then
            return w.last_result;
        end if;
        raise exception 'writer sequence' using errcode = 'AAF02', detail = w.next_seq::text;
    end if;
    at_ := clock_timestamp();
    s := h.size;
    n := w.next_seq;
    leaf := h.last_leaf;
    for i in 1 .. coalesce(array_length(p_heads, 1), 0) loop
        if p_items[i] <> item then
            item := p_items[i];
            skip := false;
            settled := true;
            if p_changes is not null and jsonb_typeof(p_changes -> item) = 'object' then
                outcome := aaf.apply_change(p_writer, p_changes -> item);
                if outcome is null then
                    raise exception 'unknown change' using errcode = 'AAF03';
                end if;
                skip := outcome ? 'lost';
                settled := coalesce((outcome ->> 'settled')::boolean, true);
                if outcome <> '{}' then
                    changes := changes || jsonb_build_object(item::text, outcome);
                end if;
            end if;
        end if;
        continue when skip or (p_settles[i] and not settled);
        body := p_heads[i] || convert_to(n::text || '}}', 'UTF8');
        hash := sha256(body);
        leaf := sha256('\x00'::bytea || convert_to(
            'aaf-audit/v1' || chr(10) || s::text || chr(10) || encode(leaf, 'hex') || chr(10) || encode(hash, 'hex') || chr(10), 'UTF8'));
        seqs := seqs || s;
        writer_seqs := writer_seqs || n;
        events := events || p_events[i];
        bodies := bodies || body;
        hashes := hashes || hash;
        leaves := leaves || leaf;
        parts := parts || p_parts[i];
        s := s + 1;
        n := n + 1;
    end loop;
    result := jsonb_build_object('first', h.size, 'changes', changes);
    if s = h.size then
        return result;
    end if;
    -- The partition ahead is made long before it is needed, and again here in case it was not.
    if h.size = 0 or (h.size >> 19) <> (s >> 19) then
        perform aaf.ensure_audit_partition(s);
        perform aaf.ensure_audit_partition(s + (1 << 19));
    end if;
    insert into aaf.audit_log (seq, at, event, writer, writer_seq, event_hash, leaf_hash, body)
    select u.seq, at_, u.event, p_writer, u.writer_seq, u.hash, u.leaf, u.body
    from unnest(seqs, events, writer_seqs, hashes, leaves, bodies) as u (seq, event, writer_seq, hash, leaf, body);
    insert into aaf.audit_parts (seq, sealed)
    select u.seq, u.sealed from unnest(seqs, parts) as u (seq, sealed) where u.sealed is not null;
    perform aaf.project(seqs, events, bodies);
    update aaf.audit_head set size = s, last_leaf = leaf;
    update aaf.writers set next_seq = n, last_batch = p_batch, last_result = result, alive_at = at_ where id = p_writer;
    return result;
end $$;

-- The rows of `actions` that the entries speak of.
create function aaf.project(p_seqs bigint[], p_events text[], p_bodies bytea[]) returns void language plpgsql as $$
begin
    if 'action.decided' = any (p_events) then
        insert into aaf.actions (id, at, agent_id, agent, name, kind, risk, method, scheme, host, port, source, effect, code, rules,
                                 revision, approval_id, decided_seq)
        select replace(b.action, 'act_', '')::uuid, b."time", replace(b.agent, 'agt_', '')::uuid, b.agent_name, b.name, b.kind, b.risk,
               b.method, b.scheme, b.host, b.port, b.source, b.effect, b.code, b.rules, b.revision,
               replace(b.approval, 'apr_', '')::uuid, u.seq
        from unnest(p_seqs, p_events, p_bodies) as u (seq, event, body),
             jsonb_to_record(convert_from(u.body, 'UTF8')::jsonb) as b (
                 action text, "time" timestamptz, agent text, agent_name text, name text, kind text, risk text, method text, scheme text,
                 host text, port integer, source text, effect text, code text, rules text[], revision text, approval text)
        where u.event = 'action.decided';
    end if;
    if 'action.completed' = any (p_events) or 'action.failed' = any (p_events) then
        update aaf.actions a
        set outcome = o.event, status = o.status, request_bytes = o.request_bytes, response_bytes = o.response_bytes,
            duration_ms = o.duration_ms
        from (select u.event, replace(b.action, 'act_', '')::uuid as id, b.status, b.request_bytes, b.response_bytes, b.duration_ms
              from unnest(p_events, p_bodies) as u (event, body),
                   jsonb_to_record(convert_from(u.body, 'UTF8')::jsonb) as b (
                       action text, status integer, request_bytes bigint, response_bytes bigint, duration_ms bigint)
              where u.event in ('action.completed', 'action.failed')) o
        where a.id = o.id;
    end if;
    -- A held action that was submitted by API and is now started: its decision was `pending`.
    if 'grant.spent' = any (p_events) then
        update aaf.actions a set effect = 'allow'
        from (select replace(convert_from(u.body, 'UTF8')::jsonb ->> 'action', 'act_', '')::uuid as id
              from unnest(p_events, p_bodies) as u (event, body) where u.event = 'grant.spent') g
        where a.id = g.id and a.source = 'api' and a.effect = 'pending';
    end if;
end $$;

-- Register a process that appends.
create function aaf.open_writer(p_id uuid, p_process text) returns text
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select aaf.ensure_action_partitions();
    insert into aaf.writers (id, process) values (p_id, p_process);
    select origin from aaf.audit_head;
$$;

-- This process lives: its waiters count. Costs no flush; what is lost in a crash is said again a second later.
create function aaf.heartbeat(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    update aaf.writers set alive_at = clock_timestamp() where id = p_id;
end $$;

-- This process has written its last entry.
create function aaf.close_writer(p_id uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from aaf.approval_waiters where writer = p_id;
    update aaf.writers set stopped_at = clock_timestamp() where id = p_id and stopped_at is null;
$$;

-- These requests no longer wait.
create function aaf.leave(p_actions uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from aaf.approval_waiters where action_id = any (p_actions);
end $$;

-- The interception CA: the first one wins, everyone gets it.
create function aaf.create_ca(p_cert_pem text, p_sealed_key bytea) returns aaf.certificate_authority
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    ca aaf.certificate_authority;
begin
    perform pg_advisory_xact_lock(hashtext('aaf.certificate_authority'));
    insert into aaf.certificate_authority (id, cert_pem, sealed_key) values (1, p_cert_pem, p_sealed_key) on conflict do nothing;
    select * into ca from aaf.certificate_authority order by id desc limit 1;
    return ca;
end $$;
