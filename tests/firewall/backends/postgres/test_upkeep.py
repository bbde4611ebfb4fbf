"""What the worker asks, as the application's role."""

from typing import Any

import asyncpg
import pytest

from firewall.backends.postgres.store import Store
from firewall.backends.postgres.upkeep import PostgresUpkeep
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer
from tests.worker.harness import World


async def test_due_names_what_is_past_its_time_the_longest_overdue_first(database: Any, sealer: Sealer) -> None:
    store = await Store.connect(database.app_dsn, sealer=sealer, process="worker")
    try:
        world, upkeep = World(database, store), PostgresUpkeep(store.pool)
        await world.approvals(1, overdue=False)
        ids = [*await world.approvals(1), *await world.approvals(1), *await world.approvals(1, approved=True)]
        assert list(await upkeep.due(9)) == ids
        assert list(await upkeep.due(1)) == ids[:1]
    finally:
        await store.close()


async def test_a_database_that_is_gone_is_one_error(database: Any) -> None:
    pool = await asyncpg.create_pool(database.app_dsn, min_size=1, max_size=1)
    upkeep = PostgresUpkeep(pool)
    await upkeep.ping()
    await pool.close()
    for ask in (upkeep.ping, upkeep.ensure_partitions, lambda: upkeep.due(1)):
        with pytest.raises(LedgerUnavailable):
            await ask()
