"""The process: what it needs, what it does by itself, how it ends, and that it outlives its database's absence."""

import signal
import socket
from typing import Any

import pytest

from tests.control_api.relay import Relay
from tests.worker.harness import Child, World, env, get, until


async def test_it_expires_by_itself_and_ends_cleanly_on_sigterm(world: World) -> None:
    child = Child()
    await child.start(**env(world.database.app_dsn))
    url = await child.url()
    ids = await world.approvals(3)

    async def done() -> bool:
        return await world.states() == {"expired": 3}

    await until(done)
    assert await world.expired_entries() == sorted(ids)
    child.process.send_signal(signal.SIGTERM)
    status, errors = await child.end()
    assert status == 0, errors
    events = await world.sql(
        "select event from aaf.audit_log where writer = (select id from aaf.writers where process = 'worker') order by seq"
    )
    assert [row["event"] for row in events] == ["process.started", *["approval.expired"] * 3, "process.stopped"]
    assert url.startswith("http://127.0.0.1:")


async def test_two_workers_at_once_expire_each_approval_once(world: World) -> None:
    children = [Child(), Child()]
    for child in children:
        await child.start(**env(world.database.app_dsn))
    for child in children:
        await child.url()
    ids = [*await world.approvals(300), *await world.approvals(50, approved=True)]

    async def done() -> bool:
        return await world.states() == {"expired": 350}

    await until(done)
    for child in children:
        child.process.send_signal(signal.SIGINT)
        assert (await child.end())[0] == 0
    assert await world.expired_entries() == sorted(ids)


async def test_it_ends_when_its_parent_is_gone(database: Any) -> None:
    child = Child()
    await child.start(**env(database.app_dsn))
    await child.url()
    child.cut()
    assert (await child.end())[0] == 0


async def test_postgres_away_it_says_so_and_back_it_goes_on(world: World) -> None:
    relay, child = Relay(world.database.app_dsn), Child()
    await relay.start()
    await child.start(**env(relay.dsn))
    url = await child.url()

    async def ready() -> bool:
        return bool((await get(url + "/health/ready"))[0] == 200)

    async def failed() -> bool:
        status, body = await get(url + "/health/ready")
        return bool(status == 503 and not body["checks"]["postgres"] and not body["checks"]["expiry"])

    async def expired() -> bool:
        return await world.states() == {"expired": 1}

    await until(ready)
    await relay.stop()
    await until(failed)
    assert (await get(url + "/health/live"))[0] == 200
    await world.approvals(1)
    await relay.start()
    await until(expired)
    await until(ready)
    child.process.send_signal(signal.SIGTERM)
    assert (await child.end())[0] == 0
    await relay.stop()


@pytest.mark.parametrize("name", ["DATABASE_URL", "ENCRYPTION_MASTER_KEY"])
async def test_a_setting_that_is_missing_is_named(database: Any, name: str) -> None:
    child = Child()
    await child.start(**{key: value for key, value in env(database.app_dsn).items() if key != name})
    status, errors = await child.end()
    assert (status, name in errors) == (2, True)


async def test_what_keeps_it_from_starting_is_named(database: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for more, words in (
            ({"DATABASE_URL": "postgres://aaf:secret@127.0.0.1:1/x"}, "DATABASE_URL"),
            ({"DATABASE_URL": database.admin_dsn}, "audit_log"),
            ({"AAF_WORKER_ADMIN_PORT": port}, f"AAF_WORKER_ADMIN_PORT={port}"),
        ):
            child = Child()
            await child.start(**{**env(database.app_dsn), **more})
            status, errors = await child.end()
            assert (status, words in errors, "secret" in errors) == (1, True, False), errors
