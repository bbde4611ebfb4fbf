"""Which revisions exist is `tests/contracts/`; here is what stays in memory."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from firewall.backends.postgres import revisions as module
from firewall.backends.postgres.revisions import Revisions
from firewall.backends.postgres.store import Store
from firewall.errors import EngineUnavailable
from firewall.seal import Sealer
from tests.conftest import Database
from tests.contracts.backends import process_of
from tests.contracts.scene import Scene


class Pool:
    """The pool, counted."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.asked: list[str] = []

    async def fetchval(self, query: str, revision: str, **more: Any) -> Any:
        self.asked.append(revision)
        return await self._pool.fetchval(query, revision, **more)

    async def fetchrow(self, *arguments: Any, **more: Any) -> Any:
        return await self._pool.fetchrow(*arguments, **more)


@pytest.fixture
async def scene(database: Database, sealer: Sealer) -> AsyncIterator[Scene]:
    store = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    yield Scene(process_of(store))
    await store.close()


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database.app_dsn, min_size=1, max_size=2) as made:
        yield Pool(made)


async def test_what_was_read_once_is_kept(scene: Scene, pool: Pool) -> None:
    revisions = Revisions(pool)
    assert await scene.activates("sha256:1") == "done"
    assert revisions.kept("sha256:1") is None
    found = await revisions.find("sha256:1")
    assert found is not None
    assert (found.ports, found.allow_private) == (frozenset({443}), ("10.1.2.0/24",))
    assert await revisions.find("sha256:1") is revisions.kept("sha256:1") is found
    assert pool.asked == ["sha256:1"]


async def test_a_revision_that_nobody_stored_is_none_and_may_come_later(scene: Scene, pool: Pool) -> None:
    revisions = Revisions(pool)
    assert await revisions.find("sha256:2") is None
    assert await scene.activates("sha256:2") == "done"
    assert await revisions.find("sha256:2") is not None


async def test_a_refresh_says_which_one_is_active_and_none_is_active_at_first(scene: Scene, pool: Pool) -> None:
    revisions = Revisions(pool)
    await revisions.refresh()
    assert revisions.active is None
    for revision in ("sha256:1", "sha256:2", "sha256:1"):
        assert await scene.activates(revision) == "done"
        await revisions.refresh()
        assert revisions.active == revision
        assert revisions.kept(revision) is not None
    assert pool.asked == []


async def test_what_is_kept_is_bounded_and_the_active_one_never_goes(
    scene: Scene, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    revisions = Revisions(pool)
    names = [f"sha256:{number}" for number in range(6)]
    for name in (*names, names[0]):
        assert await scene.activates(name) == "done"
    await revisions.refresh()
    for name in names[1:]:
        assert await revisions.find(name) is not None
    assert [name for name in names if revisions.kept(name) is not None] == [names[0], names[4], names[5]]


async def test_a_database_that_does_not_answer_is_no_answer(database: Database) -> None:
    async with asyncpg.create_pool(database.app_dsn, min_size=0, max_size=1) as pool:
        revisions = Revisions(pool)
    with pytest.raises(EngineUnavailable, match="the policy revision cannot be looked up"):
        await revisions.find("sha256:1")


@pytest.mark.parametrize("revision", ["sha256:\x00", "\udcff"])
async def test_a_revision_that_no_text_can_hold_is_refused(pool: Pool, revision: str) -> None:
    with pytest.raises(EngineUnavailable):
        await Revisions(pool).find(revision)
