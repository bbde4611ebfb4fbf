import asyncio

import asyncpg
import pytest

from firewall.backends.postgres.listener import Listener
from firewall.backends.postgres.store import open_connection
from tests.conftest import Database


class Heard:
    def __init__(self) -> None:
        self.payloads: list[str] = []
        self.changed = asyncio.Condition()

    def __call__(self, payload: str) -> None:
        self.payloads.append(payload)
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, payload: str) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: payload in self.payloads)


async def notify(database: Database, channel: str, payload: str) -> None:
    connection = await asyncpg.connect(database.admin_dsn)
    await connection.execute("select pg_notify($1, $2)", channel, payload)
    await connection.close()


@pytest.mark.parametrize("pauses", range(12))
async def test_a_channel_is_heard_whenever_it_was_subscribed_to(database: Database, pauses: int) -> None:
    """`pauses`: at which turn of the event loop after the start; some fall into the middle of connecting."""
    listener, first, second = Listener(lambda: open_connection(database.app_dsn)), Heard(), Heard()
    await listener.subscribe("one", first)
    listener.start()
    for _ in range(pauses):
        await asyncio.sleep(0)
    if pauses > 8:
        await listener.connected.wait()
    await listener.subscribe("two", second)
    async with asyncio.timeout(20):
        await listener.connected.wait()
    await notify(database, "one", "a")
    await notify(database, "two", "b")
    await first.until("a")
    await second.until("b")
    await listener.close()


async def test_after_a_lost_connection_everybody_is_told_that_anything_may_have_happened(database: Database) -> None:
    listener, heard = Listener(lambda: open_connection(database.app_dsn)), Heard()
    await listener.subscribe("one", heard)
    listener.start()
    await heard.until("")
    heard.payloads.clear()
    killer = await asyncpg.connect(database.super_dsn)
    await killer.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"
    )
    await killer.close()
    await heard.until("")
    await notify(database, "one", "again")
    await heard.until("again")
    await listener.close()


async def test_a_callback_that_fails_does_not_silence_the_others(database: Database) -> None:
    def broken(_payload: str) -> None:
        raise RuntimeError("broken")

    listener, heard = Listener(lambda: open_connection(database.app_dsn)), Heard()
    await listener.subscribe("one", broken)
    await listener.subscribe("one", heard)
    listener.start()
    async with asyncio.timeout(20):
        await listener.connected.wait()
    await notify(database, "one", "a")
    await heard.until("a")
    await listener.close()


@pytest.mark.parametrize(
    "error",
    [asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"), RuntimeError("unheard of")],
    ids=["the state that a server's goodbye leaves asyncpg in", "anything else"],
)
async def test_what_goes_wrong_amid_listening_costs_the_connection_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors, listen = [error], asyncpg.Connection.add_listener

    async def add_listener(self: asyncpg.Connection, channel: str, callback: object) -> None:
        if errors:
            raise errors.pop()
        await listen(self, channel, callback)

    monkeypatch.setattr(asyncpg.Connection, "add_listener", add_listener)
    listener, heard = Listener(lambda: open_connection(database.app_dsn)), Heard()
    await listener.subscribe("one", heard)
    listener.start()
    await heard.until("")
    await notify(database, "one", "a")
    await heard.until("a")
    await listener.close()
