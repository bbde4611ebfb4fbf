"""One process's door: who may open it, what keeps it fresh, and how it is closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from structlog.testing import capture_logs

from firewall.audit.events import process_started
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.errors import LedgerUnavailable
from firewall.ids import to_uuid
from firewall.ports import Item
from firewall.seal import Sealer
from firewall.settings import BadSettings
from tests.conftest import Database
from tests.contracts.backends import process_of
from tests.contracts.scene import Scene, until
from tests.control_api.relay import Relay


async def sql(database: Database, text: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(database.super_dsn)
    try:
        rows: list[Any] = await connection.fetch(text, *arguments)
        return rows
    finally:
        await connection.close()


@pytest.fixture
async def store(database: Database, sealer: Sealer) -> AsyncIterator[Store]:
    made = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    yield made
    await made.close()


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(process_of(store))


async def events(database: Database, store: Store) -> list[str]:
    rows = await sql(database, "select event from aaf.audit_log where writer = $1 order by seq", to_uuid(store.writer))
    return [row["event"] for row in rows]


async def connections(database: Database) -> int:
    (row,) = await sql(
        database,
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and backend_type = 'client backend'",
    )
    return int(row["count"])


# --- the role ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin_dsn", "super_dsn"])
async def test_a_role_that_owns_the_log_is_refused(database: Database, sealer: Sealer, role: str) -> None:
    with pytest.raises(UnsafeRole, match="may write or own audit_log: it must only append and read"):
        await Store.connect(getattr(database, role), sealer=sealer, process="gateway")
    assert await sql(database, "select from aaf.writers") == []


GRANTS = [
    *(f"grant {right} on aaf.audit_log to {{role}}" for right in ("insert", "update", "delete", "truncate", "trigger")),
    "grant update (body) on aaf.audit_log to {role}",
    "grant delete on aaf.audit_log to public",
    "grant delete on {partition} to {role}",
    "grant update (body) on {partition} to {role}",
    "alter table {partition} owner to {role}",
    "grant pg_write_all_data to {role}",
    "grant aaf_admin to {role}",
    "grant aaf_super to {role}",
    "create role {role}_writer; grant delete on aaf.audit_log to {role}_writer; grant {role}_writer to {role} with inherit false",
]


@pytest.mark.parametrize("grant", GRANTS)
async def test_a_role_that_may_write_the_log_in_any_way_is_refused(
    database: Database, sealer: Sealer, store: Store, grant: str
) -> None:
    (partition,) = (
        await sql(database, "select inhrelid::regclass::text from pg_inherits where inhparent = 'aaf.audit_log'::regclass limit 1")
    )[0]
    role = database.name
    await sql(database, f"create role {role} login password 'x' in role aaf_app")
    dsn = database.app_dsn.replace(database.app_dsn.split("@")[0], f"postgresql://{role}:x")
    try:
        safe = await Store.connect(dsn, sealer=sealer, process="gateway")
        await safe.close()
        for statement in grant.format(role=role, partition=partition).split("; "):
            await sql(database, statement)
        with pytest.raises(UnsafeRole):
            await Store.connect(dsn, sealer=sealer, process="gateway")
    finally:
        for name in (role, f"{role}_writer"):
            if await sql(database, "select from pg_roles where rolname = $1", name):
                await sql(database, f"reassign owned by {name} to aaf_admin")
                await sql(database, f"drop owned by {name}")
                await sql(database, f"drop role {name}")


@pytest.mark.parametrize(
    "dsn", ["postgresql://aaf:hun/ter2@db/x", "postgresql://aaf:hun#ter2@db/x", "postgresql://aaf:hun[ter2@db/x", "mysql://aaf:hunter2@db/x",
            "x"]
)  # fmt: skip
async def test_an_address_that_is_none_is_named_and_not_quoted(sealer: Sealer, dsn: str) -> None:
    with pytest.raises(BadSettings) as error:
        await Store.connect(dsn, sealer=sealer, process="gateway")
    assert str(error.value) == "DATABASE_URL: not the address of a Postgres database"
    assert error.value.__suppress_context__


# --- the start ---------------------------------------------------------------------------------------------------------------


async def test_it_starts_with_an_entry_and_knows_what_is_there(
    database: Database, store: Store, scene: Scene, sealer: Sealer
) -> None:
    await scene.begins()
    later = await Store.connect(database.app_dsn, sealer=sealer, process="api")
    assert later.agents.known("bot", "secret") is not None
    assert later.revisions.active == scene.revision
    assert (await events(database, later), later.writer != store.writer, later.origin == store.origin) == (
        ["process.started"],
        True,
        True,
    )
    (row,) = await sql(
        database, "select convert_from(body, 'UTF8') as body from aaf.audit_log where writer = $1", to_uuid(later.writer)
    )
    assert orjson.loads(row["body"])["process"] == "api"
    await later.close()


async def test_a_start_that_fails_gives_every_connection_back(
    database: Database, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: Store) -> None:
        raise LedgerUnavailable("made to fail")

    monkeypatch.setattr(Store, "refresh", fail)  # the last thing of the start: the ledger has a connection of its own by then
    with pytest.raises(LedgerUnavailable, match="made to fail"):
        await Store.connect(database.app_dsn, sealer=sealer, process="gateway")

    async def none() -> bool:
        return await connections(database) == 0

    await until(none)


# --- fresh -------------------------------------------------------------------------------------------------------------------


async def test_a_change_by_another_process_is_heard(store: Store, database: Database, sealer: Sealer, scene: Scene) -> None:
    other = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    changed: list[None] = []
    other.agents.on_change(lambda: changed.append(None))
    await scene.begins()

    async def known() -> bool:
        return other.agents.known("bot", "secret") is not None and other.revisions.active == scene.revision

    await until(known)
    assert changed
    await other.close()


async def test_a_change_that_nobody_told_of_is_seen_by_the_poll(store: Store, database: Database, scene: Scene) -> None:
    await scene.begins()
    found = await store.agents.find("bot", "secret")
    assert found is not None
    await sql(database, "update aaf.agents set disabled_at = clock_timestamp()")  # no NOTIFY
    await sql(database, "update aaf.versions set agents = agents + 1")

    async def gone() -> bool:
        return not store.agents.is_live(found)

    await until(gone)


async def test_what_did_not_change_is_not_read_again(store: Store, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.begins()
    await store.refresh()
    changed: list[str] = []
    store.agents.on_change(lambda: changed.append("agents"))
    await store.refresh()
    assert changed == []
    assert await scene.creates_agent(Scene(scene.process).agent, "another", "its token") == "done"
    await store.refresh()
    assert "agents" in changed


async def test_the_heart_beats_by_itself(store: Store, database: Database) -> None:
    async def alive() -> bool:
        (row,) = await sql(
            database,
            "select alive_at > clock_timestamp() - interval '3 seconds' as alive from aaf.writers where id = $1",
            to_uuid(store.writer),
        )
        return bool(row["alive"])

    await sql(database, "update aaf.writers set alive_at = alive_at - interval '1 minute'")
    await until(alive)


async def test_a_poll_that_fails_is_logged_and_stops_neither_the_others_nor_itself(store: Store) -> None:
    polled: list[str] = []

    async def fails() -> None:
        polled.append("fails")
        raise RuntimeError("made to fail")

    async def works() -> None:
        polled.append("works")

    with capture_logs() as logs:
        store.every_second(fails)
        store.every_second(works)

        async def twice() -> bool:
            return polled.count("works") >= 2

        await until(twice)
    assert polled[:4] == ["fails", "works"] * 2
    assert {"event": "store.failed", "work": "fails", "error": "RuntimeError", "log_level": "warning"} in logs


async def test_polls_go_on_while_the_database_is_away_and_it_recovers(database: Database, sealer: Sealer, scene: Scene) -> None:
    relay = Relay(database.app_dsn)
    await relay.start()
    store = await Store.connect(relay.dsn, sealer=sealer, process="gateway")
    polled: list[None] = []

    async def poll() -> None:
        polled.append(None)

    async def more() -> bool:
        return len(polled) > 1

    async def known() -> bool:
        return store.agents.known("bot", "secret") is not None

    try:
        store.every_second(poll)
        await store._listener.connected.wait()  # the relay cuts what it has taken up
        await relay.stop()
        polled.clear()
        await until(more)
        await scene.begins()
        assert not await known()
        await relay.start()
        await until(known)
    finally:
        await store.close()
        await relay.stop()


# --- the end -----------------------------------------------------------------------------------------------------------------


async def test_it_ends_with_an_entry_and_leaves_nobody_waiting(database: Database, scene: Scene, sealer: Sealer) -> None:
    await scene.begins()
    store = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    process = process_of(store)
    assert await scene.opens("a", by=process) == "opened"
    assert len(await sql(database, "select from aaf.approval_waiters")) == 1
    await store.close()
    assert await events(database, store) == ["process.started", "approval.requested", "process.stopped"]
    assert await sql(database, "select from aaf.approval_waiters") == []
    (row,) = await sql(database, "select stopped_at from aaf.writers where id = $1", to_uuid(store.writer))
    assert row["stopped_at"] is not None
    with pytest.raises(LedgerUnavailable, match="closed"):
        await store.ledger.append(Item(drafts=(process_started("gateway", "0"),)))


async def test_closed_it_keeps_no_connection_and_no_task(database: Database, sealer: Sealer) -> None:
    before = asyncio.all_tasks()
    store = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    await store.close()

    async def none() -> bool:
        return await connections(database) == 0

    await until(none)
    assert asyncio.all_tasks() - before == set()


async def test_without_its_database_it_ends_all_the_same_and_says_what_it_could_not_do(
    database: Database, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firewall.backends.postgres.ledger.ANSWER_SECONDS", 0.1)
    relay = Relay(database.app_dsn)
    await relay.start()
    store = await Store.connect(relay.dsn, sealer=sealer, process="gateway")
    await store._listener.connected.wait()
    await relay.stop()
    with capture_logs() as logs:
        await store.close()
    failed = [(entry["work"], entry["error"]) for entry in logs if entry["event"] == "store.failed"]
    assert ("close_ledger", "LedgerUnavailable") in failed
    assert "close_writer" in [work for work, _ in failed]
