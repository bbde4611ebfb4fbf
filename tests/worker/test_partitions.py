"""The months ahead have their partitions, and making them twice changes nothing."""

from datetime import UTC, datetime

import asyncpg

from firewall.backends.postgres.upkeep import PostgresUpkeep
from tests.worker.harness import World
from worker.partitions import make_ahead


def months_ahead(now: datetime) -> list[str]:
    counted = [now.year * 12 + now.month - 1 + ahead for ahead in range(3)]
    return [f"actions_{month // 12}{month % 12 + 1:02}" for month in counted]


async def partitions(world: World) -> list[str]:
    rows = await world.sql("select inhrelid::regclass::text as name from pg_inherits where inhparent = 'aaf.actions'::regclass")
    return sorted(row["name"].removeprefix("aaf.") for row in rows)


async def test_this_month_and_the_next_two_have_their_partitions(world: World) -> None:
    for month in await partitions(world):
        if month != "actions_default":
            await world.sql(f"drop table aaf.{month}")
    ensure = PostgresUpkeep(world.store.pool).ensure_partitions
    assert [await make_ahead(ensure), await make_ahead(ensure)] == [False, False]
    now = (await world.sql("select clock_timestamp() as now"))[0]["now"].astimezone(UTC)
    assert await partitions(world) == [*months_ahead(now), "actions_default"]


async def test_the_application_role_reads_a_new_partition_and_cannot_write_it(world: World) -> None:
    await make_ahead(PostgresUpkeep(world.store.pool).ensure_partitions)
    month = (await partitions(world))[0]
    assert await world.store.pool.fetchval(f"select count(*) from aaf.{month}") == 0
    try:
        await world.store.pool.execute(f"delete from aaf.{month}")
    except asyncpg.InsufficientPrivilegeError:
        return
    raise AssertionError("the application's role could delete actions")
