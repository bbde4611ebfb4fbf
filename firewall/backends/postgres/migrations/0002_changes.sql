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
    end;
end $$;
