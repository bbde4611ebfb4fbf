-- What the worker asks. Each query has a name and a line that says what it answers; `queries.py` loads them by name.

-- name: due
-- Approvals whose time is over and was not written down, the longest ago first.
select a.id
from aaf.approvals a
where (a.state = 'pending' and a.expires_at <= clock_timestamp())
    or (a.state = 'approved' and a.grant_until <= clock_timestamp())
order by a.expires_at
limit $1;

-- name: ensure_action_partitions
-- Makes the partitions of `actions` for this month and the next two.
select aaf.ensure_action_partitions();

-- name: ping
-- Whether the database answers.
select 1;
