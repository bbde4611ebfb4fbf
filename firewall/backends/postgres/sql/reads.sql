-- What the API reads. Each query has a name and a line that says what it answers; `queries.py` loads them by name.

-- name: ping
-- Whether the database answers.
select 1;

-- name: key_by_hash
-- The live API key with this hash.
select k.id, k.role, k.name, k.created_at, k.expires_at, k.revoked_at
from aaf.api_keys k
where k.hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp());

-- name: key_by_id
-- One API key, live or not.
select k.id, k.role, k.name, k.created_at, k.expires_at, k.revoked_at
from aaf.api_keys k
where k.id = $1;

-- name: keys
-- API keys, newest first.
select k.id, k.role, k.name, k.created_at, k.expires_at, k.revoked_at
from aaf.api_keys k
where $1::uuid is null or k.id < $1
order by k.id desc
limit $2;

-- name: agents
-- Agents with the tokens that work now, newest first.
select a.id, a.name, a.created_at, a.disabled_at, a.hold_seconds,
    array(
        select t.id from aaf.agent_tokens t
        where t.agent_id = a.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())
            and a.disabled_at is null
        order by t.id desc limit 100
    ) as live_tokens
from aaf.agents a
where $1::uuid is null or a.id < $1
order by a.id desc
limit $2;

-- name: agent
-- One agent with the tokens that work now.
select a.id, a.name, a.created_at, a.disabled_at, a.hold_seconds,
    array(
        select t.id from aaf.agent_tokens t
        where t.agent_id = a.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())
            and a.disabled_at is null
        order by t.id desc limit 100
    ) as live_tokens
from aaf.agents a
where a.id = $1;

-- name: actions
-- Actions that match, newest first, with their sealed parts and the state of their approval.
with page as (
    select a.id, a.at, a.agent_id, a.agent, a.name, a.kind, a.risk, a.method, a.scheme, a.host, a.port, a.source, a.effect,
        a.code, a.rules, a.revision, a.approval_id, a.decided_seq, a.outcome, a.status, a.request_bytes, a.response_bytes,
        a.duration_ms
    from aaf.actions a
    where ($1::uuid is null or a.id < $1)
        and ($2::text is null or a.agent = $2)
        and ($3::uuid is null or a.agent_id = $3)
        and ($4::text is null or a.name = $4)
        and ($5::text is null or a.effect = $5)
        and ($6::text is null or a.host = $6)
        and ($7::text is null or a.source = $7)
        and ($8::uuid is null or a.approval_id = $8)
    order by a.id desc
    limit $9
)
select a.id, a.at, a.agent_id, a.agent, a.name, a.kind, a.risk, a.method, a.scheme, a.host, a.port, a.source, a.effect,
    a.code, a.rules, a.revision, a.approval_id, a.decided_seq, a.outcome, a.status, a.request_bytes, a.response_bytes,
    a.duration_ms, l.body, p.sealed, v.spent_by as approval_spent_by,
    case
        when v.state = 'pending' and clock_timestamp() >= v.expires_at then 'expired'
        when v.state = 'approved' and clock_timestamp() >= v.grant_until then 'expired'
        else v.state
    end as approval_state
from page a
left join aaf.audit_log l on l.seq = a.decided_seq
left join aaf.audit_parts p on p.seq = a.decided_seq
left join aaf.approvals v on v.id = a.approval_id
order by a.id desc;

-- name: action
-- One action, with its sealed parts and the state of its approval.
select a.id, a.at, a.agent_id, a.agent, a.name, a.kind, a.risk, a.method, a.scheme, a.host, a.port, a.source, a.effect,
    a.code, a.rules, a.revision, a.approval_id, a.decided_seq, a.outcome, a.status, a.request_bytes, a.response_bytes,
    a.duration_ms, l.body, p.sealed, v.spent_by as approval_spent_by,
    case
        when v.state = 'pending' and clock_timestamp() >= v.expires_at then 'expired'
        when v.state = 'approved' and clock_timestamp() >= v.grant_until then 'expired'
        else v.state
    end as approval_state
from aaf.actions a
left join aaf.audit_log l on l.seq = a.decided_seq
left join aaf.audit_parts p on p.seq = a.decided_seq
left join aaf.approvals v on v.id = a.approval_id
where a.id = $1;

-- name: claim
-- The live claim of an agent's idempotency key.
select i.params_hash, i.action_id
from aaf.idempotency i
where i.agent_id = $1 and i.key = $2 and i.at >= clock_timestamp() - interval '24 hours';

-- name: approvals
-- Approvals in a state that counts now, newest first. $1: the stored states that may count as $2.
select v.id, v.digest, v.agent, v.agent_id, v.action_id, v.name, v.kind, v.risk, v.method, v.host, v.reason, v.rules,
    v.revision, v.quorum, v.approvers, v.expires_in, v.grant_for, v.requested_at, v.expires_at, v.decided_at, v.decided_by,
    v.comment, v.grant_until, v.spent_by, s.state
from aaf.approvals v
cross join lateral (
    select case
        when v.state = 'pending' and clock_timestamp() >= v.expires_at then 'expired'
        when v.state = 'approved' and clock_timestamp() >= v.grant_until then 'expired'
        else v.state
    end as state
) s
where ($1::text[] is null or v.state = any ($1))
    and ($2::text is null or s.state = $2)
    and ($3::uuid is null or v.id < $3)
order by v.id desc
limit $4;

-- name: approval
-- One approval with what was sealed for its approvers.
select v.id, v.digest, v.agent, v.agent_id, v.action_id, v.name, v.kind, v.risk, v.method, v.host, v.reason, v.rules,
    v.revision, v.quorum, v.approvers, v.expires_in, v.grant_for, v.requested_at, v.expires_at, v.decided_at, v.decided_by,
    v.comment, v.grant_until, v.spent_by, v.sealed,
    case
        when v.state = 'pending' and clock_timestamp() >= v.expires_at then 'expired'
        when v.state = 'approved' and clock_timestamp() >= v.grant_until then 'expired'
        else v.state
    end as state
from aaf.approvals v
where v.id = $1;

-- name: summaries
-- What was sealed for the approvers of several approvals.
select v.id, v.sealed
from aaf.approvals v
where v.id = any ($1::uuid[]);

-- name: votes
-- The votes on an approval, oldest first.
select o.voter, o.choice, o.comment, o.at
from aaf.approval_votes o
where o.approval_id = $1
order by o.at, o.voter_id;

-- name: pending_count
-- How many approvals of an agent are pending.
select count(*)
from aaf.approvals v
where v.agent_id = $1 and v.state = 'pending' and v.expires_at > clock_timestamp();

-- name: policies
-- Policy revisions, newest first.
select p.revision, p.author, p.message, p.created_at, p.document, x.activated_at
from aaf.policies p
left join aaf.active_policy x on x.revision = p.revision
where $1::timestamptz is null or p.created_at < $1
order by p.created_at desc
limit $2;

-- name: active_policy
-- The active policy revision.
select p.revision, p.author, p.message, p.created_at, p.document, x.activated_at
from aaf.active_policy x
join aaf.policies p on p.revision = x.revision;

-- name: active_revision
-- The name of the active policy revision.
select x.revision from aaf.active_policy x;

-- name: catalogs
-- Users' catalogs in force, newest first, with the beginning of their texts.
select c.id, c.service, c.revision, c.hosts, c.operations, c.added_by, c.added_at, left(c.facts, 8192) as facts
from aaf.catalogs c
where c.removed_at is null and ($1::uuid is null or c.id < $1)
order by c.id desc
limit $2;

-- name: catalog
-- The catalog of one service that is in force.
select c.id, c.service, c.revision, c.hosts, c.operations, c.added_by, c.added_at, c.facts
from aaf.catalogs c
where c.service = $1 and c.removed_at is null;

-- name: entries
-- Entries that match between two positions, newest first. $4: texts that all stand in the body as JSON strings.
select l.seq, l.event, l.event_hash, l.leaf_hash, l.body
from aaf.audit_log l
where l.seq >= $1 and l.seq < $2
    and ($3::text is null or l.event = $3)
    and not exists (select from unnest($4::bytea[]) as m (text) where position(m.text in l.body) = 0)
order by l.seq desc
limit $5;

-- name: chain
-- Entries from a position on, oldest first.
select l.seq, l.event, l.event_hash, l.leaf_hash, l.body
from aaf.audit_log l
where l.seq >= $1
order by l.seq
limit $2;

-- name: head
-- Where the chain ends.
select h.origin, h.size, h.last_leaf from aaf.audit_head h;

-- name: ca_pem
-- The newest interception CA's certificate.
select c.cert_pem from aaf.certificate_authority c order by c.id desc limit 1;
