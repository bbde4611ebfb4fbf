-- What every process keeps in memory, and reads again when it changed.

-- name: catalogs_in_force
-- The users' catalogs that are in force, without their texts.
select id, service
from aaf.catalogs
where removed_at is null
order by service;

-- name: catalog_facts
-- The texts of some of them.
select id, facts
from aaf.catalogs
where id = any ($1);

-- name: policy_data
-- The compiled data of one revision.
select data
from aaf.policies
where revision = $1;

-- name: active_policy
-- The revision that is active, and its data.
select p.revision, p.data
from aaf.active_policy a
join aaf.policies p using (revision);
