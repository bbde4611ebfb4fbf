-- What the worker asks. `queries.py` loads each by name.

-- name: due
-- Approvals past their time that nobody has written down as expired, the longest overdue first.
select a.id
from aaf.approvals a
where a.state in ('pending', 'approved')
    and (a.state = 'pending' and a.expires_at <= clock_timestamp() or a.state = 'approved' and a.grant_until <= clock_timestamp())
order by a.expires_at
limit $1;

-- name: ensure_partitions
-- The partitions of `actions` for this month and the next two, made where they are missing.
select aaf.ensure_action_partitions();

-- name: ping
-- Whether the database answers.
select true;
