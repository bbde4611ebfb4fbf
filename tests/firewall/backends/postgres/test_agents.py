"""The directory in one process. What agents and tokens may do is `tests/contracts/`; here is what stays in memory, and how long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from firewall.backends.postgres import agents as module
from firewall.backends.postgres.agents import AgentDirectory
from firewall.backends.postgres.store import Store
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer
from tests.conftest import Database
from tests.contracts.backends import process_of
from tests.contracts.scene import Scene, fresh
from tests.control_api.relay import Relay


class Pool:
    """The pool, counted; `before` and `after` run around each look-up of one token."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.lookups = 0
        self.before: Callable[[], Awaitable[None]] | None = None
        self.after: Callable[[], Awaitable[None]] | None = None

    async def fetchrow(self, *arguments: Any, **more: Any) -> Any:
        self.lookups += 1
        if self.before is not None:
            await self.before()
        row = await self._pool.fetchrow(*arguments, **more)
        if self.after is not None:
            await self.after()
        return row

    async def fetch(self, *arguments: Any, **more: Any) -> Any:
        return await self._pool.fetch(*arguments, **more)


@pytest.fixture
async def store(database: Database, sealer: Sealer) -> AsyncIterator[Store]:
    made = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    yield made
    await made.close()


@pytest.fixture
async def scene(store: Store) -> Scene:
    """An agent `bot` with the token `secret`."""
    made = Scene(process_of(store))
    assert await made.creates_agent(made.agent, "bot", "secret", hold_seconds=7) == "done"
    return made


@pytest.fixture
def pool(store: Store) -> Pool:
    return Pool(store.pool)


@pytest.fixture
def directory(pool: Pool) -> AgentDirectory:
    """Empty: it was never refreshed, and nothing refreshes it."""
    return AgentDirectory(pool)


async def test_a_token_that_is_not_in_memory_is_looked_up_once(scene: Scene, directory: AgentDirectory, pool: Pool) -> None:
    assert directory.known("bot", "secret") is None
    found = await directory.find("bot", "secret")
    assert found is not None
    assert (found.agent.id, found.agent.name, found.agent.hold_seconds) == (scene.agent, "bot", 7)
    assert directory.known("bot", "secret") is directory.known(scene.agent, "secret") is found
    assert await directory.find("bot", "secret") is found
    assert pool.lookups == 1


async def test_a_token_opens_nothing_under_another_name(scene: Scene, directory: AgentDirectory) -> None:
    assert await directory.find("other", "secret") is None
    assert await directory.find("", "secret") is None
    assert directory.known("other", "secret") is None
    assert directory.known("bot", "secret") is not None


@pytest.mark.usefixtures("scene")
async def test_what_nobody_knows_is_no_agent_and_is_asked_about_again(directory: AgentDirectory, pool: Pool) -> None:
    for _ in range(2):
        assert await directory.find("bot", "wrong \udcff") is None
    assert pool.lookups == 2


async def test_a_refresh_forgets_what_was_revoked_and_tells_it(scene: Scene, directory: AgentDirectory) -> None:
    token_id = fresh("tok")
    assert await scene.adds_token("second", token_id=token_id) == "done"
    first, second = await directory.find("bot", "secret"), await directory.find("bot", "second")
    assert first is not None
    assert second is not None
    live: list[tuple[bool, bool]] = []
    directory.on_change(lambda: live.append((directory.is_live(first), directory.is_live(second))))
    assert await scene.revokes_token(token_id) == "done"
    assert directory.is_live(second)  # it has not heard of it yet
    await directory.refresh()
    assert await scene.disables() == "done"
    await directory.refresh()
    assert live == [(True, False), (False, False)]
    assert await directory.find("bot", "secret") is None


async def test_a_token_revoked_while_it_is_looked_up_does_not_come_back(
    scene: Scene, directory: AgentDirectory, pool: Pool
) -> None:
    async def meanwhile() -> None:
        pool.after = None
        assert await scene.disables() == "done"
        await directory.refresh()

    pool.after = meanwhile  # the answer is on its way, and tells of a moment before
    assert await directory.find("bot", "secret") is None
    assert directory.known("bot", "secret") is None


@pytest.mark.usefixtures("scene")
async def test_look_ups_are_few_at_once_and_those_that_wait_are_bounded(
    directory: AgentDirectory, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKUPS_WAITING", 10)
    gate, inside, most = asyncio.Event(), 0, 0

    async def wait() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await gate.wait()
        inside -= 1

    pool.before = wait
    guesses = [asyncio.ensure_future(directory.find("bot", f"guess {n}")) for n in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailable, match="too many unknown credentials"):
        await directory.find("bot", "one more")
    gate.set()
    assert await asyncio.gather(*guesses) == [None] * 10
    assert most == module.LOOKUPS_AT_ONCE
    assert await directory.find("bot", "secret") is not None  # and then there is room again


async def test_without_the_database_who_is_known_stays_known_and_nobody_else_is_let_in(
    scene: Scene, database: Database, sealer: Sealer
) -> None:
    relay = Relay(database.app_dsn)
    await relay.start()
    away = await Store.connect(relay.dsn, sealer=sealer, process="gateway")
    try:
        found = away.agents.known("bot", "secret")
        assert found is not None
        assert found.agent.id == scene.agent
        await away._listener.connected.wait()  # the relay cuts what it has taken up
        await relay.stop()
        with pytest.raises(LedgerUnavailable, match="agents cannot be looked up"):
            await away.agents.find("bot", "another")
        assert await away.agents.find("bot", "secret") is found
        assert away.agents.is_live(found)
        await relay.start()
    finally:
        await away.close()
        await relay.stop()
