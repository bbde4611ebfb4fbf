-- Tables. Everything lives in the schema `aaf`; the application's role reads it and changes it only through functions.

create schema aaf;

-- Counters that say "something of this kind changed": the poll behind NOTIFY compares one row.
create table aaf.versions (
    one      boolean primary key default true check (one),
    agents   bigint not null default 0,
    policy   bigint not null default 0
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
