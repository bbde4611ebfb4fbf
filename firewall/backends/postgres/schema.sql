-- What a fresh database looks like, in one file to read. The migrations make it; `tests/contracts/test_schema.py` proves them equal.

-- Tables. Everything lives in the schema `aaf`; the application's role reads it and changes it only through functions.

create schema aaf;

-- Counters that say "something of this kind changed": the poll behind NOTIFY compares one row.
create table aaf.versions (
    one      boolean primary key default true check (one),
    agents   bigint not null default 0,
    policy   bigint not null default 0,
    catalogs bigint not null default 0
);
insert into aaf.versions default values;

create table aaf.agents (
    id           uuid primary key,
    name         text not null unique,
    created_at   timestamptz not null default clock_timestamp(),
    disabled_at  timestamptz,
    hold_seconds integer
);

-- Credentials of agents: SHA-256 of the token, never the token.
create table aaf.agent_tokens (
    id         uuid primary key,
    agent_id   uuid not null references aaf.agents (id),
    hash       bytea not null unique,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);
create index agent_tokens_agent on aaf.agent_tokens (agent_id);

-- API keys of people.
create table aaf.api_keys (
    id         uuid primary key,
    role       text not null check (role in ('admin', 'approver', 'auditor', 'viewer')),
    name       text not null,
    hash       bytea not null unique,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);

-- Every revision of the policy, for ever; `data` is what OPA's bundle carries.
create table aaf.policies (
    revision   text primary key,
    document   text not null,
    data       jsonb not null,
    author     text not null,
    message    text not null default '',
    created_at timestamptz not null default clock_timestamp()
);

create table aaf.active_policy (
    one          boolean primary key default true check (one),
    revision     text not null references aaf.policies (revision),
    activated_at timestamptz not null
);

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

-- Processes that append. `next_seq` makes a writer's entries gapless; `last_batch` and `last_result` answer a retry of a
-- batch whose commit was never confirmed; `alive_at` says whether its waiters still count.
create table aaf.writers (
    id          uuid primary key,
    process     text not null,
    started_at  timestamptz not null default clock_timestamp(),
    alive_at    timestamptz not null default clock_timestamp(),
    stopped_at  timestamptz,
    next_seq    bigint not null default 0,
    last_batch  uuid,
    last_result jsonb
) with (fillfactor = 50);

create table aaf.audit_head (
    one       boolean primary key default true check (one),
    origin    text not null,
    size      bigint not null,
    last_leaf bytea not null
) with (fillfactor = 10);
insert into aaf.audit_head (origin, size, last_leaf)
values ('agent-action-firewall/' || encode(substring(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) from 1 for 12), 'hex'),
        0, decode(repeat('00', 32), 'hex'));

-- The chain. `body` is stored exactly as it was hashed. Partitioned by position, 2^20 entries a partition.
create table aaf.audit_log (
    seq        bigint not null,
    at         timestamptz not null,
    event      text not null,
    writer     uuid not null,
    writer_seq bigint not null,
    event_hash bytea not null,
    leaf_hash  bytea not null,
    body       bytea not null,
    primary key (seq)
) partition by range (seq);

-- What the entries only commit to: salts and parts, sealed, erasable without breaking the chain.
create table aaf.audit_parts (
    seq    bigint not null,
    sealed bytea,
    primary key (seq)
) partition by range (seq);

-- One row an action: a projection of its entries. The identifier is a UUIDv7, so a range of identifiers is a range of time.
create table aaf.actions (
    id             uuid not null,
    at             timestamptz not null,
    agent_id       uuid not null,
    agent          text not null,
    name           text not null,
    kind           text not null,
    risk           text not null,
    method         text not null,
    scheme         text not null,
    host           text not null,
    port           integer not null,
    source         text not null,
    effect         text not null,
    code           text,
    rules          text[] not null,
    revision       text not null,
    approval_id    uuid,
    decided_seq    bigint not null,
    outcome        text,
    status         integer,
    request_bytes  bigint,
    response_bytes bigint,
    duration_ms    bigint,
    primary key (id)
) partition by range (id);
create table aaf.actions_default partition of aaf.actions default;
create index actions_agent on aaf.actions (agent, id desc);

create table aaf.approvals (
    id           uuid primary key,
    state        text not null check (state in ('pending', 'approved', 'spent', 'denied', 'expired', 'cancelled')),
    digest       bytea not null,
    agent_id     uuid not null references aaf.agents (id),
    agent        text not null,
    action_id    uuid not null,
    name         text not null,
    kind         text not null,
    risk         text not null,
    method       text not null,
    host         text not null,
    reason       text not null,
    rules        text[] not null,
    revision     text not null,
    quorum       integer not null check (quorum > 0),
    approvers    text[] not null,
    expires_in   integer not null,
    grant_for    integer not null,
    requested_at timestamptz not null,
    expires_at   timestamptz not null,
    decided_at   timestamptz,
    decided_by   text,
    comment      text,
    grant_until  timestamptz,
    spent_at     timestamptz,
    spent_by     uuid,
    sealed       bytea not null
);
create unique index approvals_one_pending on aaf.approvals (digest) where state = 'pending';
create index approvals_digest on aaf.approvals (digest, requested_at desc);
create index approvals_open on aaf.approvals (expires_at) where state in ('pending', 'approved');
create index approvals_state on aaf.approvals (state, id desc);

create table aaf.approval_votes (
    approval_id uuid not null references aaf.approvals (id),
    voter_id    text not null,
    voter       text not null,
    choice      text not null check (choice in ('approve', 'deny')),
    comment     text not null,
    at          timestamptz not null,
    primary key (approval_id, voter_id)
);

-- Requests that wait now, oldest first. Unlogged: after a crash nobody of them is left to wait.
create unlogged table aaf.approval_waiters (
    action_id   uuid primary key,
    approval_id uuid not null,
    agent_id    uuid not null,
    writer      uuid not null,
    since       timestamptz not null
);
create index approval_waiters_approval on aaf.approval_waiters (approval_id, since);
create index approval_waiters_agent on aaf.approval_waiters (agent_id);

create table aaf.idempotency (
    agent_id    uuid not null references aaf.agents (id),
    key         text not null,
    params_hash bytea not null,
    action_id   uuid not null,
    at          timestamptz not null,
    primary key (agent_id, key)
);

-- The interception CA; its key is sealed with ENCRYPTION_MASTER_KEY.
create table aaf.certificate_authority (
    id         integer primary key,
    cert_pem   text not null,
    sealed_key bytea not null,
    created_at timestamptz not null default clock_timestamp()
);

-- Changes of state. Each takes a jsonb object and returns one: `{"lost": code, …}` when it can no longer happen, and then it has
-- written nothing. They run inside `aaf.append`, which holds the lock on the head, so that no two of them run at once.

-- Agents: create one with its first token.
create function aaf.change_create_agent(c jsonb) returns jsonb language plpgsql as $$
begin
    insert into aaf.agents (id, name, hold_seconds)
    values ((c ->> 'agent_id')::uuid, c ->> 'name', (c ->> 'hold_seconds')::integer)
    on conflict (name) do nothing;
    if not found then
        return '{"lost": "exists"}';
    end if;
    insert into aaf.agent_tokens (id, agent_id, hash)
    values ((c ->> 'token_id')::uuid, (c ->> 'agent_id')::uuid, decode(c ->> 'token_hash', 'hex'));
    update aaf.versions set agents = agents + 1;
    perform pg_notify('aaf_agents', c ->> 'agent_id');
    return '{}';
end $$;

-- Agents: a further token; with `revoke_others` every older one ends now.
create function aaf.change_add_token(c jsonb) returns jsonb language plpgsql as $$
declare
    agent aaf.agents;
begin
    select * into agent from aaf.agents where id = (c ->> 'agent_id')::uuid;
    if not found then
        return '{"lost": "missing"}';
    end if;
    if agent.disabled_at is not null then
        return '{"lost": "agent-disabled"}';
    end if;
    if (c ->> 'revoke_others')::boolean then
        update aaf.agent_tokens set revoked_at = clock_timestamp() where agent_id = agent.id and revoked_at is null;
    end if;
    insert into aaf.agent_tokens (id, agent_id, hash, expires_at)
    values ((c ->> 'token_id')::uuid, agent.id, decode(c ->> 'token_hash', 'hex'), (c ->> 'expires_at')::timestamptz);
    update aaf.versions set agents = agents + 1;
    perform pg_notify('aaf_agents', agent.id::text);
    return '{}';
end $$;

-- Agents: end one token.
create function aaf.change_revoke_token(c jsonb) returns jsonb language plpgsql as $$
begin
    update aaf.agent_tokens set revoked_at = clock_timestamp()
    where id = (c ->> 'token_id')::uuid and agent_id = (c ->> 'agent_id')::uuid and revoked_at is null;
    if not found then
        return '{"lost": "missing"}';
    end if;
    update aaf.versions set agents = agents + 1;
    perform pg_notify('aaf_agents', c ->> 'agent_id');
    return '{}';
end $$;

-- Agents: disable; its connections end within two seconds on every gateway.
create function aaf.change_disable_agent(c jsonb) returns jsonb language plpgsql as $$
declare
    agent aaf.agents;
begin
    select * into agent from aaf.agents where id = (c ->> 'agent_id')::uuid;
    if not found then
        return '{"lost": "missing"}';
    end if;
    if agent.disabled_at is not null then
        return '{"lost": "agent-disabled"}';
    end if;
    update aaf.agents set disabled_at = clock_timestamp() where id = agent.id;
    update aaf.versions set agents = agents + 1;
    perform pg_notify('aaf_agents', agent.id::text);
    return '{}';
end $$;

-- Keys: create one of a person.
create function aaf.change_create_key(c jsonb) returns jsonb language plpgsql as $$
begin
    insert into aaf.api_keys (id, role, name, hash, expires_at)
    values ((c ->> 'key_id')::uuid, c ->> 'role', c ->> 'name', decode(c ->> 'key_hash', 'hex'), (c ->> 'expires_at')::timestamptz)
    on conflict do nothing;
    if not found then
        return '{"lost": "exists"}';
    end if;
    return '{}';
end $$;

-- Keys: revoke one.
create function aaf.change_revoke_key(c jsonb) returns jsonb language plpgsql as $$
begin
    update aaf.api_keys set revoked_at = clock_timestamp() where id = (c ->> 'key_id')::uuid and revoked_at is null;
    if not found then
        return '{"lost": "missing"}';
    end if;
    return '{}';
end $$;

-- Policy: store a revision, if it is new, and make it the active one.
create function aaf.change_activate_policy(c jsonb) returns jsonb language plpgsql as $$
begin
    if exists (select from aaf.active_policy where revision = c ->> 'revision') then
        return '{"lost": "active"}';
    end if;
    insert into aaf.policies (revision, document, data, author, message)
    values (c ->> 'revision', c ->> 'document', c -> 'data', c ->> 'author', c ->> 'message')
    on conflict (revision) do nothing;
    insert into aaf.active_policy (revision, activated_at) values (c ->> 'revision', clock_timestamp())
    on conflict (one) do update set revision = excluded.revision, activated_at = excluded.activated_at;
    update aaf.versions set policy = policy + 1;
    perform pg_notify('aaf_policy', c ->> 'revision');
    return '{}';
end $$;

-- Actions by API: claim an idempotency key, 24 h for each agent.
create function aaf.change_claim_key(c jsonb) returns jsonb language plpgsql as $$
declare
    claimed aaf.idempotency;
begin
    delete from aaf.idempotency
    where agent_id = (c ->> 'agent_id')::uuid and key = c ->> 'key' and at < clock_timestamp() - interval '24 hours';
    select * into claimed from aaf.idempotency where agent_id = (c ->> 'agent_id')::uuid and key = c ->> 'key';
    if found then
        if claimed.params_hash = decode(c ->> 'params_hash', 'hex') then
            return jsonb_build_object('lost', 'replayed', 'action_id', claimed.action_id);
        end if;
        return '{"lost": "conflict"}';
    end if;
    insert into aaf.idempotency (agent_id, key, params_hash, action_id, at)
    values ((c ->> 'agent_id')::uuid, c ->> 'key', decode(c ->> 'params_hash', 'hex'), (c ->> 'action_id')::uuid, clock_timestamp());
    return '{}';
end $$;

-- Approvals: open one for a digest, or say what is there already.
create function aaf.change_open_approval(p_writer uuid, c jsonb) returns jsonb language plpgsql as $$
declare
    now_      timestamptz := clock_timestamp();
    p_digest  bytea := decode(c ->> 'digest', 'hex');
    p_agent   uuid := (c ->> 'agent_id')::uuid;
    p_action  uuid := (c ->> 'action_id')::uuid;
    latest    aaf.approvals;
    found_    text;
begin
    if not exists (select from aaf.agents where id = p_agent and disabled_at is null) then
        return '{"lost": "agent-disabled"}';
    end if;
    select * into latest from aaf.approvals where digest = p_digest order by requested_at desc, id desc limit 1;
    if latest.state = 'pending' then
        -- Past its time, it is expired until the worker writes that down; a second one must not open beside it.
        found_ := case when now_ < latest.expires_at then 'attached' else 'expired' end;
    elsif latest.state = 'approved' then
        found_ := case when now_ < latest.grant_until then 'granted' else 'expired' end;
    elsif latest.state = 'denied' and now_ < latest.decided_at + interval '10 minutes' then
        found_ := 'denied';
    elsif latest.state = 'expired' and now_ < coalesce(latest.grant_until, latest.expires_at) + interval '10 minutes' then
        found_ := 'expired';
    end if;
    if found_ in ('denied', 'expired') then
        return jsonb_build_object('lost', found_, 'approval_id', latest.id, 'state', found_);
    end if;
    if (c ->> 'waits')::boolean and not exists (select from aaf.approval_waiters where action_id = p_action) and (c ->> 'holds_limit')::bigint <= (
        select count(*) from aaf.approval_waiters w join aaf.writers p on p.id = w.writer
        where w.agent_id = p_agent and p.stopped_at is null and p.alive_at > now_ - interval '3 seconds')
    then
        return '{"lost": "too-many-holds"}';
    end if;
    if (c ->> 'waits')::boolean then
        -- One that comes back (its approval was spent by another waiter) keeps its place in the queue.
        insert into aaf.approval_waiters (action_id, approval_id, agent_id, writer, since)
        values (p_action, coalesce(case when found_ is not null then latest.id end, (c ->> 'approval_id')::uuid), p_agent, p_writer, now_)
        on conflict (action_id) do update set approval_id = excluded.approval_id, writer = excluded.writer;
    end if;
    if found_ is not null then
        return jsonb_build_object('lost', found_, 'approval_id', latest.id);
    end if;
    insert into aaf.approvals (id, state, digest, agent_id, agent, action_id, name, kind, risk, method, host, reason, rules, revision,
                               quorum, approvers, expires_in, grant_for, requested_at, expires_at, sealed)
    values ((c ->> 'approval_id')::uuid, 'pending', p_digest, p_agent, c ->> 'agent', p_action, c ->> 'name', c ->> 'kind', c ->> 'risk',
            c ->> 'method', c ->> 'host', c ->> 'reason', array(select jsonb_array_elements_text(c -> 'rules')), c ->> 'revision',
            (c ->> 'quorum')::integer, array(select jsonb_array_elements_text(c -> 'approvers')), (c ->> 'expires_in')::integer,
            (c ->> 'grant_for')::integer, now_, now_ + make_interval(secs => (c ->> 'expires_in')::integer), decode(c ->> 'sealed', 'hex'));
    perform pg_notify('aaf_approvals', (c ->> 'approval_id') || ' pending');
    return '{}';
end $$;

-- Approvals: spend a grant for one request, and check again what may have changed while it waited.
create function aaf.change_spend_grant(c jsonb) returns jsonb language plpgsql as $$
declare
    now_     timestamptz := clock_timestamp();
    p_action uuid := (c ->> 'action_id')::uuid;
    mine     timestamptz;
    a        aaf.approvals;
begin
    select * into a from aaf.approvals where id = (c ->> 'approval_id')::uuid for update;
    if not found or a.digest <> decode(c ->> 'digest', 'hex') or a.agent_id <> (c ->> 'agent_id')::uuid then
        return '{"lost": "not-approved"}';
    end if;
    if not exists (select from aaf.agents where id = a.agent_id and disabled_at is null) then
        return '{"lost": "agent-disabled"}';
    end if;
    if not exists (select from aaf.active_policy where revision = c ->> 'revision') then
        return '{"lost": "policy-changed"}';
    end if;
    if a.state <> 'approved' or a.grant_until is null or now_ >= a.grant_until then
        return jsonb_build_object('lost', 'not-approved', 'state', case when a.state = 'approved' then 'expired' else a.state end);
    end if;
    select since into mine from aaf.approval_waiters where action_id = p_action;
    if exists (select from aaf.approval_waiters w join aaf.writers p on p.id = w.writer
               where w.approval_id = a.id and w.action_id <> p_action and (w.since, w.action_id) < (coalesce(mine, now_), p_action)
               and p.stopped_at is null and p.alive_at > now_ - interval '3 seconds')
    then
        return '{"lost": "not-oldest"}';
    end if;
    update aaf.approvals set state = 'spent', spent_at = now_, spent_by = p_action where id = a.id;
    delete from aaf.approval_waiters where action_id = p_action;
    perform pg_notify('aaf_approvals', a.id || ' spent');
    return '{}';
end $$;

-- Approvals: one person's vote. A denial settles; an approval settles when the quorum is reached.
create function aaf.change_cast_vote(c jsonb) returns jsonb language plpgsql as $$
declare
    now_ timestamptz := clock_timestamp();
    a    aaf.approvals;
    new_ text := 'pending';
begin
    select * into a from aaf.approvals where id = (c ->> 'approval_id')::uuid for update;
    if not found then
        return '{"lost": "missing"}';
    end if;
    if a.state <> 'pending' or now_ >= a.expires_at then
        return jsonb_build_object('lost', 'decided', 'state', case when a.state = 'pending' then 'expired' else a.state end);
    end if;
    insert into aaf.approval_votes (approval_id, voter_id, voter, choice, comment, at)
    values (a.id, c ->> 'voter_id', c ->> 'voter', c ->> 'choice', c ->> 'comment', now_)
    on conflict do nothing;
    if not found then
        return '{"lost": "decided", "state": "pending"}';
    end if;
    if c ->> 'choice' = 'deny' then
        new_ := 'denied';
    elsif (select count(*) from aaf.approval_votes where approval_id = a.id and choice = 'approve') >= a.quorum then
        new_ := 'approved';
    end if;
    if new_ = 'pending' then
        return '{"settled": false, "state": "pending"}';
    end if;
    update aaf.approvals
    set state = new_, decided_at = now_, decided_by = c ->> 'voter', comment = c ->> 'comment',
        grant_until = case when new_ = 'approved' then least(expires_at, now_ + make_interval(secs => grant_for)) end
    where id = a.id;
    perform pg_notify('aaf_approvals', a.id || ' ' || new_);
    return jsonb_build_object('settled', true, 'state', new_);
end $$;

-- Approvals: write down that time ended a question or a grant.
create function aaf.change_expire_approval(c jsonb) returns jsonb language plpgsql as $$
declare
    p_id uuid := (c ->> 'approval_id')::uuid;
begin
    update aaf.approvals set state = 'expired'
    where id = p_id and (state = 'pending' and clock_timestamp() >= expires_at or state = 'approved' and clock_timestamp() >= grant_until);
    if not found then
        return '{"lost": "not-expired"}';
    end if;
    perform pg_notify('aaf_approvals', p_id || ' expired');
    return '{}';
end $$;

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

create function aaf.apply_change(p_writer uuid, c jsonb) returns jsonb language plpgsql as $$
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
