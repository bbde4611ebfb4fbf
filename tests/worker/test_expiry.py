"""What time did to approvals is written down, once, however many workers there are."""

import asyncio
from typing import Any

import pytest

from firewall.backends.postgres.store import Store
from firewall.backends.postgres.upkeep import PostgresUpkeep
from firewall.errors import LedgerUnavailable
from firewall.ids import ApprovalId
from firewall.seal import Sealer
from tests.worker.harness import World
from worker.expiry import BATCH, expire_due


async def run(store: Store) -> tuple[int, bool]:
    """How many it expired, and whether more may be due."""
    counted: list[int] = []
    more = await expire_due(store.ledger, PostgresUpkeep(store.pool).due, counted.append)
    return sum(counted), more


async def test_a_question_nobody_answered_expires(world: World) -> None:
    ids = await world.approvals(1)
    assert await run(world.store) == (1, False)
    assert (await world.states(), await world.expired_entries()) == ({"expired": 1}, list(ids))


async def test_a_grant_nobody_spent_expires(world: World) -> None:
    ids = await world.approvals(1, approved=True)
    assert await run(world.store) == (1, False)
    assert (await world.states(), await world.expired_entries()) == ({"expired": 1}, list(ids))


async def test_what_still_has_time_stays(world: World) -> None:
    await world.approvals(1, overdue=False)
    await world.approvals(1, approved=True, overdue=False)
    assert await run(world.store) == (0, False)
    assert await world.states() == {"pending": 1, "approved": 1}


async def test_run_twice_it_writes_one_entry(world: World) -> None:
    ids = await world.approvals(2)
    assert [await run(world.store), await run(world.store)] == [(2, False), (0, False)]
    assert await world.expired_entries() == sorted(ids)


async def test_one_run_is_bounded_and_says_that_more_is_due(world: World) -> None:
    await world.approvals(BATCH + 1)
    assert [await run(world.store), await run(world.store)] == [(BATCH, True), (1, False)]
    assert await world.states() == {"expired": BATCH + 1}


async def test_two_workers_with_the_same_list_expire_each_once(world: World, sealer: Sealer) -> None:
    ids = await world.approvals(60)
    other = await Store.connect(world.database.app_dsn, sealer=sealer, process="worker")
    counted: list[int] = []
    both = asyncio.Barrier(2)

    async def work(store: Store) -> None:
        async def due(limit: int) -> Any:
            found = await PostgresUpkeep(store.pool).due(limit)
            await both.wait()  # each has the whole list before either writes
            return found

        await expire_due(store.ledger, due, counted.append)

    try:
        async with asyncio.timeout(30):
            await asyncio.gather(work(world.store), work(other))
    finally:
        await other.close()
    assert (sum(counted), await world.expired_entries()) == (60, sorted(ids))


async def test_what_cannot_be_written_is_said(world: World, sealer: Sealer) -> None:
    store = await Store.connect(world.database.app_dsn, sealer=sealer, process="worker")
    await store.close()

    async def due(_limit: int) -> list[ApprovalId]:
        return await world.approvals(1)

    with pytest.raises(LedgerUnavailable):
        await expire_due(store.ledger, due, lambda _count: None)
    assert await world.states() == {"pending": 1}
