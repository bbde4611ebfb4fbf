"""The ledger's contract: the chain, and the changes that go with it. What follows `postgres` holds for the database alone."""

import asyncio
import base64
import hashlib
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson
import pytest

from firewall.audit.chain import Verifier
from firewall.audit.entry import Draft, Event
from firewall.audit.events import process_started, process_stopped
from firewall.backends.postgres.ledger import PARTS, PostgresLedger
from firewall.backends.postgres.store import Store, UnsafeRole, open_connection
from firewall.egress import Destinations
from firewall.errors import EngineUnavailable, LedgerUnavailable
from firewall.ids import AgentId, WriterId, to_uuid
from firewall.ports import Appended, CreateAgent, CreateKey, Item, Lost
from firewall.seal import Sealer
from tests.conftest import PostgresServer, start_server
from tests.contracts.backends import Backend, Chain, PostgresBackend, hash_of
from tests.contracts.scene import Scene, fresh, until


def note(text: str = "") -> Draft:
    """An entry that changes nothing."""
    return Draft(event=Event.APPROVAL_EXPIRED, fields={"approval": fresh("apr"), "note": text})


def holds(chain: Chain) -> bool:
    """The chain verifies, entry by entry and to its end."""
    verifier = Verifier()
    faults = [fault for row in chain.rows if (fault := verifier.feed(row)) is not None]
    assert faults == []
    assert verifier.finish(chain.size, chain.last_leaf) is None
    return True


def writer_seqs(chain: Chain, writer: WriterId) -> list[int]:
    bodies = [orjson.loads(row.body) for row in chain.rows]
    return [body["writer"]["seq"] for body in bodies if body["writer"]["id"] == writer]


# --- the chain ----------------------------------------------------------------------------------------------------------


async def test_entries_are_linked_in_the_order_they_came(scene: Scene, backend: Backend) -> None:
    first = await scene.process.ledger.append(Item(drafts=(note("a"), note("b"))))
    second = await scene.process.ledger.append(Item(drafts=(note("c"),)))
    assert isinstance(first, Appended)
    assert isinstance(second, Appended)
    assert [*first.seqs, *second.seqs] == list(range(first.seqs[0], first.seqs[0] + 3))
    chain = await backend.chain()
    assert [orjson.loads(chain.rows[seq].body)["note"] for seq in (*first.seqs, *second.seqs)] == ["a", "b", "c"]
    assert holds(chain)


async def test_appends_made_at_once_keep_their_order_and_their_items_whole(scene: Scene, backend: Backend) -> None:
    items = [Item(drafts=(note(f"{i}a"), note(f"{i}b"))) for i in range(600)]
    outcomes = await asyncio.gather(*(scene.process.ledger.append(item) for item in items))
    seqs = [seq for outcome in outcomes if isinstance(outcome, Appended) for seq in outcome.seqs]
    assert seqs == list(range(seqs[0], seqs[0] + 1200))
    chain = await backend.chain()
    assert [orjson.loads(row.body)["note"] for row in chain.rows[seqs[0] :]] == [f"{i}{x}" for i in range(600) for x in "ab"]
    assert holds(chain)


async def test_what_is_noted_is_written_alone_when_nothing_else_comes(scene: Scene, backend: Backend) -> None:
    outcome = await scene.process.ledger.note(Item(drafts=(note("later"),)))
    assert isinstance(outcome, Appended)
    assert holds(await backend.chain())


async def test_what_is_noted_rides_along_with_the_next_batch(postgres: PostgresBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firewall.backends.postgres.ledger.NOTED_SECONDS", 3600)
    ledger = (await postgres.process()).ledger
    assert isinstance(ledger, PostgresLedger)
    noted = ledger.note(Item(drafts=(note("later"),)))
    before = ledger.batches
    appended, later = await asyncio.gather(ledger.append(Item(drafts=(note("now"),))), noted)
    assert isinstance(appended, Appended)
    assert isinstance(later, Appended)
    assert later.seqs[0] == appended.seqs[0] + 1
    assert ledger.batches == before + 1


async def test_every_writers_own_numbers_are_gapless(scene: Scene, backend: Backend) -> None:
    processes = [scene.process, await backend.process()]
    await asyncio.gather(*(process.ledger.append(Item(drafts=(note(),))) for _ in range(50) for process in processes))
    await scene.opens("one")
    assert await scene.opens("two") == "attached"
    await asyncio.gather(*(process.ledger.append(Item(drafts=(note(),))) for _ in range(50) for process in processes))
    chain = await backend.chain()
    for process in processes:
        numbers = writer_seqs(chain, process.writer)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 100
    assert holds(chain)


async def test_an_item_that_loses_does_not_stop_those_beside_it(scene: Scene, backend: Backend) -> None:
    ledger = scene.process.ledger

    def agent(name: str) -> Item:
        agent_id = AgentId(fresh("agt"))
        change = CreateAgent(agent_id=agent_id, name=name, token_id=fresh("tok"), token_hash=os.urandom(32))
        return Item(drafts=(note(name),), change=change)

    outcomes = await asyncio.gather(
        *(ledger.append(item) for item in (agent("a"), agent("a"), Item(drafts=(note("b"),)), agent("c")))
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Lost, Appended, Appended]
    seqs = [seq for outcome in outcomes if isinstance(outcome, Appended) for seq in outcome.seqs]
    rows = (await backend.chain()).rows
    assert [orjson.loads(rows[seq].body)["note"] for seq in seqs] == ["a", "b", "c"]


def test_an_item_without_an_entry_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="entry"):
        Item(drafts=())


# --- agents, keys, policy -----------------------------------------------------------------------------------------------


async def test_an_agent_is_known_by_its_token_under_its_name_and_its_id(scene: Scene) -> None:
    agents = scene.process.agents
    found = await agents.find("bot", "secret")
    assert found is not None
    assert (found.agent.id, found.agent.name, found.agent.enabled, found.expires_at) == (scene.agent, "bot", True, None)
    assert await agents.find(scene.agent, "secret") == found
    assert agents.known("bot", "secret") == found
    assert agents.is_live(found)


@pytest.mark.parametrize(("name", "token"), [("bot", "wrong"), ("other", "secret"), ("", "secret"), ("bot", ""), ("bot", "\udc80")])
async def test_a_wrong_token_or_name_is_nobodys(scene: Scene, name: str, token: str) -> None:
    assert scene.process.agents.known(name, token) is None
    assert await scene.process.agents.find(name, token) is None


async def test_a_token_alone_says_whose_it_is(scene: Scene) -> None:
    found = await scene.process.agents.holder("secret")
    assert found is not None
    assert found == await scene.process.agents.find("bot", "secret")
    assert await scene.process.agents.holder("wrong") is None
    assert await scene.process.agents.holder("\udc80") is None


async def test_an_agent_created_twice_is_refused(scene: Scene) -> None:
    assert await scene.creates_agent(AgentId(fresh("agt")), "bot", "another") == "exists"
    assert await scene.process.agents.find("bot", "another") is None


async def test_an_agents_own_hold_time_comes_with_it(scene: Scene) -> None:
    assert await scene.creates_agent(AgentId(fresh("agt")), "patient", "other", hold_seconds=7) == "done"
    found = await scene.process.agents.find("patient", "other")
    assert found is not None
    assert found.agent.hold_seconds == 7


async def test_a_rotated_token_ends_the_older_ones_in_every_process(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    old = await other.agents.find("bot", "secret")
    assert old is not None
    assert await scene.adds_token("second") == "done"
    assert await other.agents.find("bot", "second") is not None, "an agent may have several"
    assert await scene.adds_token("third", revoke_others=True) == "done"
    changed: list[bool] = []
    other.agents.on_change(lambda: changed.append(True))

    async def ended() -> bool:
        return not other.agents.is_live(old) and other.agents.known("bot", "second") is None

    await until(ended)
    assert await other.agents.find("bot", "secret") is None
    assert await other.agents.holder("secret") is None
    assert await other.agents.find("bot", "third") is not None


async def test_whoever_watches_agents_is_told_of_changes(scene: Scene) -> None:
    told: list[bool] = []
    scene.process.agents.on_change(lambda: told.append(True))
    await scene.adds_token("second")

    async def was_told() -> bool:
        return bool(told)

    await until(was_told)


async def test_a_token_of_its_own_time_ends_by_itself(scene: Scene, backend: Backend) -> None:
    await scene.adds_token("short", expires_at=datetime.now(UTC) + timedelta(hours=12))
    found = await scene.process.agents.find("bot", "short")
    assert found is not None
    await backend.pass_time(12 * 3600 + 1)

    async def ended() -> bool:
        return not scene.process.agents.is_live(found)

    await until(ended)
    assert await scene.process.agents.find("bot", "short") is None
    assert await scene.process.agents.find("bot", "secret") is not None


async def test_one_token_can_be_ended_once(scene: Scene) -> None:
    token = fresh("tok")
    await scene.adds_token("second", token_id=token)
    assert await scene.revokes_token(token) == "done"
    assert await scene.revokes_token(token) == "missing"
    assert await scene.revokes_token(fresh("tok")) == "missing"

    async def ended() -> bool:
        return scene.process.agents.known("bot", "second") is None

    await until(ended)
    assert await scene.process.agents.find("bot", "secret") is not None


async def test_a_disabled_agent_is_nobody_and_gets_no_token(scene: Scene) -> None:
    found = await scene.process.agents.find("bot", "secret")
    assert found is not None
    assert await scene.disables() == "done"
    assert await scene.disables() == "agent-disabled"
    assert await scene.adds_token("more") == "agent-disabled"

    async def ended() -> bool:
        return not scene.process.agents.is_live(found)

    await until(ended)
    assert await scene.process.agents.find("bot", "secret") is None


async def test_an_agent_that_is_not_there_is_missing(scene: Scene) -> None:
    nobody = AgentId(fresh("agt"))
    assert await scene.disables(nobody) == "missing"
    assert await scene.adds_token("x", agent=nobody) == "missing"


async def test_a_key_is_created_once_and_revoked_once(scene: Scene) -> None:
    key = fresh("key")
    assert await scene.creates_key(key, "k") == "done"
    assert await scene.creates_key(key, "other") == "exists"
    assert await scene.creates_key(fresh("key"), "k") == "exists"
    assert await scene.revokes_key(key) == "done"
    assert await scene.revokes_key(key) == "missing"
    assert await scene.revokes_key(fresh("key")) == "missing"


async def test_a_revision_is_active_until_another_is_and_is_kept_for_ever(scene: Scene) -> None:
    revisions = scene.process.revisions
    assert await scene.activates("sha256:1") == "active"
    assert await scene.activates("sha256:2") == "done"
    assert await scene.activates("sha256:1") == "done"

    async def again() -> bool:
        return revisions.active == "sha256:1"

    await until(again)
    expected = Destinations(ports=frozenset({443}), allow_private=("10.1.2.0/24",))
    assert await revisions.find("sha256:1") == expected
    assert await revisions.find("sha256:2") == expected
    assert revisions.kept("sha256:1") == expected
    assert await revisions.find("sha256:3") is None
    assert revisions.kept("sha256:3") is None


async def test_an_idempotency_key_is_claimed_once_a_day_by_each_agent(scene: Scene, backend: Backend) -> None:
    assert await scene.claims("k", "params", "one") == "done"
    assert await scene.claims("k", "params", "two") == "replayed"
    assert isinstance(scene.last, Lost)
    assert scene.last.action_id == scene.action_id("one")
    assert await scene.claims("k", "other params", "two") == "conflict"
    assert await scene.claims("other", "params", "two") == "done"
    await backend.pass_time(25 * 3600)
    assert await scene.claims("k", "other params", "three") == "done"


# --- Postgres alone -----------------------------------------------------------------------------------------------------


async def bare_ledger(postgres: PostgresBackend, sealer: Sealer) -> tuple[PostgresLedger, WriterId]:
    """A ledger with one connection and nothing beside it."""
    writer = WriterId(fresh("wrt"))
    setup = await open_connection(postgres.database.app_dsn)
    origin = await setup.fetchval("select aaf.open_writer($1, 'gateway')", to_uuid(writer))
    await setup.close()
    ledger = PostgresLedger(lambda: open_connection(postgres.database.app_dsn), writer=writer, origin=origin, sealer=sealer)
    await ledger.append(Item(drafts=(process_started("gateway", "0"),)))
    return ledger, writer


async def test_an_append_whose_connection_broke_while_it_committed_is_written_once(
    postgres: PostgresBackend, sealer: Sealer
) -> None:
    ledger, writer = await bare_ledger(postgres, sealer)
    for _ in range(20):
        waiting = [ledger.append(Item(drafts=(note(str(i)),))) for i in range(20)]
        await asyncio.sleep(0)
        await postgres.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        outcomes = await asyncio.gather(*waiting)
        assert all(isinstance(outcome, Appended) for outcome in outcomes)
    chain = await postgres.chain()
    assert writer_seqs(chain, writer) == list(range(1 + 20 * 20))
    assert holds(chain)
    await ledger.close()


async def test_an_answer_that_never_arrived_is_asked_for_again_and_nothing_is_written_twice(
    postgres: PostgresBackend, sealer: Sealer
) -> None:
    """The commit happened and the connection broke before the client heard of it: the worst instant, made certain."""
    writer = WriterId(fresh("wrt"))

    class Deaf:
        """A connection that breaks once an append has committed."""

        def __init__(self, real: asyncpg.Connection) -> None:
            self.real = real

        async def fetchval(self, query: str, *arguments: object, timeout: float) -> object:
            await self.real.fetchval(query, *arguments, timeout=timeout)
            self.real.terminate()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

        def is_closed(self) -> bool:
            return bool(self.real.is_closed())

        def terminate(self) -> None:
            self.real.terminate()

    opened: list[object] = []

    async def connect() -> object:
        real = await open_connection(postgres.database.app_dsn)
        opened.append(real)
        return Deaf(real) if len(opened) % 2 else real

    setup = await open_connection(postgres.database.app_dsn)
    origin = await setup.fetchval("select aaf.open_writer($1, 'gateway')", to_uuid(writer))
    await setup.close()
    ledger = PostgresLedger(connect, writer=writer, origin=origin, sealer=sealer)
    first = await ledger.append(Item(drafts=(process_started("gateway", "0"), note("a"))))
    assert first == Appended(seqs=(0, 1))
    assert len(opened) == 2
    assert await ledger.append(Item(drafts=(note("b"),))) == Appended(seqs=(2,))
    chain = await postgres.chain()
    assert writer_seqs(chain, writer) == [0, 1, 2]
    assert holds(chain)
    await ledger.close()


async def test_a_batch_given_up_on_that_committed_after_all_leaves_no_gap(postgres: PostgresBackend, sealer: Sealer) -> None:
    """The writer's own count is behind the database's: it goes on from where the database is."""
    ledger, writer = await bare_ledger(postgres, sealer)
    unaware = PostgresLedger(lambda: open_connection(postgres.database.app_dsn), writer=writer, origin="x", sealer=sealer)
    assert isinstance(await unaware.append(Item(drafts=(note(),))), Appended)
    assert isinstance(await ledger.append(Item(drafts=(note(),))), Appended)
    assert writer_seqs(await postgres.chain(), writer) == [0, 1, 2]
    await ledger.close()
    await unaware.close()


async def test_the_last_entry_stands_behind_all_that_was_queued_or_noted_and_nothing_follows_it(
    postgres: PostgresBackend, sealer: Sealer
) -> None:
    ledger, writer = await bare_ledger(postgres, sealer)
    noted = [ledger.note(Item(drafts=(note(f"noted {i}"),))) for i in range(3)]
    waiting = [ledger.append(Item(drafts=(note(f"queued {i}"),))) for i in range(3)]
    noted += [ledger.note(Item(drafts=(note(f"noted later {i}"),))) for i in range(3)]
    closing = asyncio.create_task(ledger.close(Item(drafts=(process_stopped("gateway"),))))
    await asyncio.sleep(0)
    late = ledger.append(Item(drafts=(note("late"),)))
    with pytest.raises(LedgerUnavailable, match="closed"):
        await late
    await closing
    assert all(isinstance(outcome, Appended) for outcome in await asyncio.gather(*noted, *waiting))
    chain = await postgres.chain()
    assert orjson.loads(chain.rows[-1].body)["event"] == "process.stopped"
    assert writer_seqs(chain, writer) == list(range(11))
    assert holds(chain)


async def test_one_item_that_the_database_refuses_does_not_refuse_the_others(postgres: PostgresBackend) -> None:
    process = await postgres.process()
    bad = CreateKey(key_id=fresh("key"), name="ann", role="no such role", key_hash=hash_of("x"))
    items = [Item(drafts=(note(str(i)),), change=bad if i == 5 else None) for i in range(10)]
    futures = [asyncio.ensure_future(process.ledger.append(item)) for item in items]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable if i == 5 else Appended for i in range(10)]
    assert await postgres.sql("select 1 from aaf.api_keys") == []
    chain = await postgres.chain()
    assert [orjson.loads(row.body)["note"] for row in chain.rows[1:]] == [str(i) for i in range(10) if i != 5]
    assert holds(chain)


async def test_a_role_that_turned_synchronous_commit_off_gets_durable_commits(postgres: PostgresBackend, sealer: Sealer) -> None:
    """Observed where it acts, at the commit: a trigger that runs last in the transaction writes down the setting."""
    await postgres.sql("create table public.seen (setting text)")
    await postgres.sql("grant insert on public.seen to public")
    await postgres.sql(
        "create function public.look() returns trigger language plpgsql as $$ begin"
        " insert into public.seen values (current_setting('synchronous_commit')); return null; end $$"
    )
    await postgres.sql(
        "create constraint trigger look after update on aaf.audit_head deferrable initially deferred"
        " for each row execute function public.look()"
    )
    for level, kept in (("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")):
        connection = await asyncpg.connect(postgres.database.app_dsn, server_settings={"synchronous_commit": level})
        writer = WriterId(fresh("wrt"))
        origin = await connection.fetchval("select aaf.open_writer($1, 'gateway')", to_uuid(writer))

        async def connect(connection: asyncpg.Connection = connection) -> asyncpg.Connection:
            return connection

        ledger = PostgresLedger(connect, writer=writer, origin=origin, sealer=sealer)
        await postgres.sql("truncate public.seen")
        await ledger.append(Item(drafts=(note(),)))
        assert [row["setting"] for row in await postgres.sql("select setting from public.seen")] == [kept]
        await ledger.close()


TABLES = ("audit_log", "audit_log_0", "audit_parts", "audit_parts_0", "audit_head", "writers", "actions", "actions_default",
          "approvals", "approval_votes", "approval_waiters", "agents", "agent_tokens", "api_keys", "policies", "active_policy",
          "idempotency", "certificate_authority", "versions", "catalogs")  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
async def test_the_applications_role_writes_to_no_table(postgres: PostgresBackend, table: str) -> None:
    process = await postgres.process()
    await process.ledger.append(Item(drafts=(note(),)))
    connection = await asyncpg.connect(postgres.database.app_dsn)
    column = (await postgres.sql("select attname from pg_attribute where attrelid = $1::regclass and attnum = 1", f"aaf.{table}"))[
        0
    ][0]
    try:
        await connection.fetch(f"select * from aaf.{table}")
        for statement in (
            f"insert into aaf.{table} select * from aaf.{table}",
            f"update aaf.{table} set {column} = {column}",
            f"delete from aaf.{table}",
            f"truncate aaf.{table}",
            f"drop table aaf.{table} cascade",
            f"alter table aaf.{table} add column mine text",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_tables_tried_are_all_there_are(postgres: PostgresBackend) -> None:
    await postgres.process()
    rows = await postgres.sql("select relname from pg_class where relnamespace = 'aaf'::regnamespace and relkind in ('r', 'p')")
    months = {row["relname"] for row in rows if row["relname"].startswith("actions_2")}
    assert {row["relname"] for row in rows} - months == set(TABLES)
    assert len(months) == 3


async def test_the_applications_role_calls_the_doors_and_no_other_function(postgres: PostgresBackend) -> None:
    rows = await postgres.sql(
        "select p.proname, has_function_privilege('aaf_app', p.oid, 'execute') as may,"
        " has_function_privilege('public', p.oid, 'execute') as anyone"
        " from pg_proc p where p.pronamespace = 'aaf'::regnamespace"
    )
    assert {row["proname"] for row in rows if row["may"]} == {
        "append", "open_writer", "heartbeat", "close_writer", "leave", "create_ca", "ensure_action_partitions",
    }  # fmt: skip
    assert [row["proname"] for row in rows if row["anyone"]] == []


async def test_every_door_runs_with_a_search_path_of_its_own(postgres: PostgresBackend) -> None:
    rows = await postgres.sql(
        "select proname, proconfig from pg_proc where pronamespace = 'aaf'::regnamespace and prosecdef order by 1"
    )
    assert len(rows) == 7
    assert {row["proname"]: row["proconfig"] for row in rows if row["proconfig"] != ["search_path=pg_catalog, pg_temp"]} == {}


async def test_a_role_that_may_write_or_owns_the_log_is_refused_at_start(postgres: PostgresBackend, sealer: Sealer) -> None:
    for dsn in (postgres.database.admin_dsn, postgres.database.super_dsn):
        with pytest.raises(UnsafeRole):
            await Store.connect(dsn, sealer=sealer, process="gateway")


async def test_the_log_goes_on_in_the_next_partition(postgres: PostgresBackend) -> None:
    """2^20 entries later. The superuser moves the head there, so this chain does not verify from the start."""
    process = await postgres.process()
    for size in (1 << 19, 1 << 20, 3 << 19, 1 << 21):
        await postgres.sql("update aaf.audit_head set size = $1", size - 2)
        outcomes = await asyncio.gather(*(process.ledger.append(Item(drafts=(note(),) * 2)) for _ in range(3)))
        seqs = [seq for outcome in outcomes if isinstance(outcome, Appended) for seq in outcome.seqs]
        assert seqs == list(range(size - 2, size + 4))
    found = await postgres.sql(
        "select seq, tableoid::regclass::text as partition from aaf.audit_log where seq >= (1 << 20) - 2 order by seq"
    )
    assert [(row["seq"] - (1 << 20), row["partition"]) for row in found[:6]] == [
        (-2, "aaf.audit_log_0"), (-1, "aaf.audit_log_0"), (0, "aaf.audit_log_1"), (1, "aaf.audit_log_1"),
        (2, "aaf.audit_log_1"), (3, "aaf.audit_log_1"),
    ]  # fmt: skip
    names = await postgres.sql("select relid::text as name from pg_partition_tree('aaf.audit_log') where isleaf order by 1")
    assert [row["name"] for row in names] == [f"aaf.audit_log_{n}" for n in range(3)]
    connection = await asyncpg.connect(postgres.database.app_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from aaf.audit_log_2")
        await connection.fetch("select seq from aaf.audit_log_2")
    finally:
        await connection.close()


async def test_the_partition_ahead_is_there_half_a_partition_early(postgres: PostgresBackend) -> None:
    process = await postgres.process()
    await postgres.sql("update aaf.audit_head set size = $1", (1 << 19) - 1)
    await process.ledger.append(Item(drafts=(note(), note())))
    rows = await postgres.sql("select to_regclass('aaf.audit_log_1') is not null as there")
    assert rows[0]["there"]


async def test_a_batch_longer_than_what_is_sent_at_once_is_written_in_order(postgres: PostgresBackend) -> None:
    process = await postgres.process()
    outcomes = await asyncio.gather(*(process.ledger.append(Item(drafts=(note(str(i)),))) for i in range(3000)))
    assert [outcome.seqs for outcome in outcomes if isinstance(outcome, Appended)] == [(i,) for i in range(1, 3001)]
    assert holds(await postgres.chain())


async def test_parts_lie_sealed_beside_their_entry_and_can_be_emptied(postgres: PostgresBackend, sealer: Sealer) -> None:
    process = await postgres.process()
    secret = "/very/secret/path"
    outcome = await process.ledger.append(
        Item(drafts=(Draft(event=Event.APPROVAL_EXPIRED, parts={"path": secret.encode()}), note()))
    )
    assert isinstance(outcome, Appended)
    rows = await postgres.sql("select l.seq, l.body, p.sealed from aaf.audit_log l join aaf.audit_parts p using (seq)")
    assert [row["seq"] for row in rows] == [outcome.seqs[0]], "an entry without parts has no row there"
    body = orjson.loads(rows[0]["body"])
    assert secret.encode() not in rows[0]["body"]
    assert secret.encode() not in rows[0]["sealed"]
    ((salt, part),) = orjson.loads(sealer.open(PARTS, body["salt"], rows[0]["sealed"])).values()
    committed = hashlib.sha256(b"aaf-part/v1\npath\n" + bytes.fromhex(salt) + base64.b64decode(part)).hexdigest()
    assert base64.b64decode(part) == secret.encode()
    assert body["parts"] == {"path": committed}
    await postgres.sql("delete from aaf.audit_parts")
    assert holds(await postgres.chain())


async def test_a_writer_that_has_stopped_writes_no_more(postgres: PostgresBackend, sealer: Sealer) -> None:
    ledger, writer = await bare_ledger(postgres, sealer)
    await ledger.append(Item(drafts=(process_stopped("gateway"),)))
    connection = await open_connection(postgres.database.app_dsn)
    await connection.execute("select aaf.close_writer($1)", to_uuid(writer))
    await connection.close()
    with pytest.raises(LedgerUnavailable):
        await ledger.append(Item(drafts=(note(),)))
    await ledger.close()


async def test_a_change_that_the_database_does_not_know_is_refused_whole(postgres: PostgresBackend) -> None:
    connection = await asyncpg.connect(postgres.database.app_dsn)
    writer = uuid.uuid4()
    await connection.fetchval("select aaf.open_writer($1, 'gateway')", writer)
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.fetchval(
                "select aaf.append($1, $2, 0, $3, $4, $5, $6, $7, $8)",
                writer, uuid.uuid4(), [b'{"writer":{"id":"w","seq":'], [None], ["x"], [0], [False], '[{"change": "grant_all"}]',
            )  # fmt: skip
        assert refused.value.sqlstate == "AAF03"
    finally:
        await connection.close()
    assert (await postgres.chain()).size == 0


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop; durable, as `aaf up` starts it."""
    yield from start_server(options=("fsync=on",))


async def unavailable(ledger: PostgresLedger) -> bool:
    try:
        await ledger.append(Item(drafts=(note(),)))
    except LedgerUnavailable:
        return True
    return False


async def test_a_stopped_server_is_unavailable_and_service_resumes_when_it_is_back(
    own_server: PostgresServer, sealer: Sealer
) -> None:
    backend = PostgresBackend(await own_server.create(), sealer)
    scene = Scene(await backend.process())
    await scene.begins()
    await scene.opens("one")
    ledger = scene.process.ledger
    assert isinstance(ledger, PostgresLedger)

    async def known() -> bool:  # a hint says that there is something to read, and the reading takes its time
        return scene.process.agents.known("bot", "secret") is not None

    await until(known)
    own_server.embedded.stop()
    with pytest.raises(LedgerUnavailable, match="unavailable"):
        await ledger.append(Item(drafts=(note(),)))
    with pytest.raises(LedgerUnavailable):
        await scene.process.approvals.get(scene.approval)
    with pytest.raises(LedgerUnavailable):
        await scene.process.approvals.states([scene.approval])
    with pytest.raises(LedgerUnavailable):
        await scene.process.agents.find("bot", "never seen")
    with pytest.raises(EngineUnavailable):
        await scene.process.revisions.find("sha256:never seen")
    assert scene.process.agents.known("bot", "secret") is not None, "who is known stays known"
    own_server.embedded.start()
    assert await scene.approves() == "approved"
    assert await scene.spends("one") == "spent"
    assert holds(await backend.chain())
    await backend.close()


async def test_what_was_acknowledged_survives_a_server_that_is_killed(own_server: PostgresServer, sealer: Sealer) -> None:
    backend = PostgresBackend(await own_server.create(), sealer)
    ledger, writer = await bare_ledger(backend, sealer)
    acknowledged: list[int] = []

    async def keep_writing() -> None:
        while True:
            outcome = await ledger.append(Item(drafts=(note(),)))
            assert isinstance(outcome, Appended)
            acknowledged.extend(outcome.seqs)

    writing = [asyncio.ensure_future(keep_writing()) for _ in range(8)]

    async def underway() -> bool:
        return len(acknowledged) > 200

    await until(underway)
    pid = own_server.embedded.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*writing, return_exceptions=True)
    own_server.embedded.stop()
    own_server.embedded.start()
    chain = await backend.chain()
    assert {row.seq for row in chain.rows} >= set(acknowledged)
    assert holds(chain)
    assert not await unavailable(ledger)
    numbers = writer_seqs(await backend.chain(), writer)
    assert numbers == list(range(len(numbers)))
    await ledger.close()
