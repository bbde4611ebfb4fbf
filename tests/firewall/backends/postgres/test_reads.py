"""What the API reads: as the application's role, and never a change."""

import hashlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from firewall.action import Action, Kind, Risk
from firewall.approval import Choice, State
from firewall.audit.entry import Event
from firewall.audit.events import agent_event, approval_settled, catalog_added, decided, key_event, requested, voted
from firewall.backends.postgres.reads import PostgresReads
from firewall.backends.postgres.store import Store
from firewall.catalogs import AddCatalog
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, AgentId, ApprovalId, CatalogId, KeyId, new_id
from firewall.ports import AddToken, CastVote, CreateAgent, CreateKey, Item, Lost, OpenApproval
from firewall.reads import ActionFilter, EntryFilter
from firewall.seal import Sealer
from firewall.verdict import Terms

pytestmark = pytest.mark.asyncio


class World:
    """A store, what reads it, and short ways to make things happen."""

    def __init__(self, store: Store, reads: PostgresReads) -> None:
        self.store = store
        self.reads = reads
        self.agent_id = AgentId("")

    async def append(self, item: Item) -> None:
        assert not isinstance(await self.store.ledger.append(item), Lost)

    async def agent(self, name: str) -> AgentId:
        agent_id = AgentId(fresh("agt"))
        change = CreateAgent(agent_id=agent_id, name=name, token_id=fresh("tok"), token_hash=sha(name))
        await self.append(Item(drafts=(agent_event(Event.AGENT_CREATED, agent_id, name, by="x"),), change=change))
        return agent_id

    def action(self, **more: Any) -> Action:
        given: dict[str, Any] = {
            "id": ActionId(fresh("act")), "agent": "bot", "agent_id": self.agent_id, "service": "http", "operation": "POST",
            "kind": Kind.WRITE, "risk": Risk.MEDIUM, "method": "POST", "scheme": "https", "host": "x.example", "port": 443,
            "path": "/secret", "segments": ("secret",), "query": "a=1", "digest": "sha256:" + "ab" * 32, "resource": {"k": "v"},
        }  # fmt: skip
        return Action(**{**given, **more})

    async def decide(self, action: Action, effect: str = "allow", approval: ApprovalId | None = None) -> None:
        entry = decided(action, effect=effect, code=None, reason="why", rules=("r",), revision="sha256:1", approval=approval)
        await self.append(Item(drafts=(entry,)))

    async def hold(self, action: Action, terms: Terms | None = None) -> ApprovalId:
        approval_id = ApprovalId(fresh("apr"))
        change = OpenApproval(
            approval_id=approval_id, action_id=action.id, digest=action.digest, agent=action.agent, agent_id=action.agent_id,
            name=action.name, kind=action.kind.value, risk=action.risk.value, method=action.method, host=action.host,
            reason="why", rules=("r",), revision="sha256:1", terms=terms or Terms(), summary={"body": "hello"}, waits=False,
            holds_limit=9,
        )  # fmt: skip
        entry = requested(approval_id, action, rules=("r",), revision="sha256:1", expires_in=1)
        await self.append(Item(drafts=(entry,), change=change))
        return approval_id

    async def approve(self, approval_id: ApprovalId) -> None:
        drafts = (
            voted(approval_id, voter="ann", voter_id="k", choice=Choice.APPROVE, comment="ok", channel="api"),
            approval_settled(approval_id, choice=Choice.APPROVE, voter="ann", voter_id="k"),
        )
        change = CastVote(approval_id=approval_id, voter_id="ann", voter="ann", choice=Choice.APPROVE, comment="ok")
        await self.append(Item(drafts=drafts, change=change))


def fresh(prefix: Any) -> str:
    return new_id(prefix, time.time_ns() // 1_000_000)


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest_asyncio.fixture
async def world(database: Any, sealer: Sealer) -> AsyncIterator[World]:
    store = await Store.connect(database.app_dsn, sealer=sealer, process="api")
    world = World(store, PostgresReads(store.pool, sealer))
    world.agent_id = await world.agent("bot")
    yield world
    await store.close()


async def test_a_key_is_found_by_its_hash_while_it_lives(world: World) -> None:
    for name, expires_at in (("ann", None), ("old", datetime.now(UTC) - timedelta(seconds=1))):
        key_id = fresh("key")
        change = CreateKey(key_id=key_id, name=name, role="admin", key_hash=sha(name), expires_at=expires_at)
        await world.append(Item(drafts=(key_event(Event.KEY_CREATED, key_id, name=name, role="admin", by="x"),), change=change))
    found = await world.reads.key(sha("ann"))
    assert found is not None
    assert (found.name, found.role) == ("ann", "admin")
    assert await world.reads.key(sha("old")) is None
    assert await world.reads.key(sha("nobody")) is None
    assert [key.name for key in await world.reads.keys(before=None, limit=9)] == ["old", "ann"]
    assert (await world.reads.key_by_id(KeyId(key_id))).name == "old"  # type: ignore[union-attr]


async def test_agents_come_with_the_tokens_that_work_now(world: World) -> None:
    for expires_at in (datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=1)):
        token_hash = sha(str(expires_at))
        change = AddToken(agent_id=world.agent_id, token_id=fresh("tok"), token_hash=token_hash, expires_at=expires_at)
        await world.append(Item(drafts=(agent_event(Event.AGENT_ROTATED, world.agent_id, "bot", by="x"),), change=change))
    agent = await world.reads.agent(world.agent_id)
    assert agent is not None
    assert len(agent.live_tokens) == 2
    assert await world.reads.agent(AgentId("agt_" + "0" * 32)) is None


async def test_an_action_comes_with_what_the_chain_only_commits_to(world: World) -> None:
    action = world.action()
    await world.decide(action)
    found = await world.reads.action(action.id)
    assert found is not None
    assert found.parts == {
        "path": b"/secret", "query": b"a=1", "resource": b'{"k":"v"}', "digest": action.digest.encode(), "reason": b"why"
    }  # fmt: skip
    assert (found.name, found.effect, found.rules, found.approval_id) == ("http:POST", "allow", ("r",), None)


async def test_parts_that_another_master_key_sealed_are_gone_but_the_rest_is_there(world: World) -> None:
    action = world.action()
    await world.decide(action)
    found = await PostgresReads(world.store.pool, Sealer(b"x" * 32)).action(action.id)
    assert found is not None
    assert (found.parts, found.host) == (None, "x.example")


@pytest.mark.parametrize(
    ("which", "count"),
    [
        (ActionFilter(), 3),
        (ActionFilter(agent="bot"), 3),
        (ActionFilter(agent="other"), 0),
        (ActionFilter(host="y.example"), 1),
        (ActionFilter(effect="deny"), 1),
        (ActionFilter(name="http:GET"), 1),
        (ActionFilter(name="http:GET", host="y.example"), 0),
        (ActionFilter(source="api"), 0),
        (ActionFilter(approval_id=ApprovalId("apr_" + "1" * 32)), 1),
    ],
)
async def test_actions_are_found_by_what_they_are(world: World, which: ActionFilter, count: int) -> None:
    await world.decide(world.action(host="y.example"))
    await world.decide(world.action(operation="GET"), "deny")
    await world.decide(world.action(), approval=ApprovalId("apr_" + "1" * 32))
    found = await world.reads.actions(which, before=None, limit=9)
    assert len(found) == count
    assert [action.id for action in found] == sorted((action.id for action in found), reverse=True)


async def test_a_page_goes_on_where_the_last_one_ended(world: World) -> None:
    for _ in range(5):
        await world.decide(world.action())
    everything = [action.id for action in await world.reads.actions(ActionFilter(), before=None, limit=9)]
    rest = await world.reads.actions(ActionFilter(), before=everything[1], limit=2)
    assert [action.id for action in rest] == everything[2:4]


async def test_an_approval_opens_its_summary_and_counts_its_votes(world: World) -> None:
    approval_id = await world.hold(world.action())
    assert await world.reads.pending_count(world.agent_id) == 1
    await world.approve(approval_id)
    found = await world.reads.approval(approval_id)
    assert found is not None
    assert (found.approval.state, found.summary) == (State.APPROVED, {"body": "hello"})
    assert [vote.voter for vote in found.votes] == ["ann"]
    assert await world.reads.pending_count(world.agent_id) == 0
    assert await world.reads.summaries([approval_id, ApprovalId(fresh("apr"))]) == {approval_id: {"body": "hello"}}


async def test_the_state_that_counts_is_found_not_the_one_that_was_written(world: World, database: Any) -> None:
    asked = await world.hold(world.action(digest="sha256:" + "01" * 32))
    granted = await world.hold(world.action(digest="sha256:" + "02" * 32))
    await world.approve(granted)
    connection = await asyncpg.connect(database.admin_dsn)
    await connection.execute(
        "update aaf.approvals set expires_at = past, grant_until = past from (select now() - interval '1 s' as past)"
    )
    await connection.close()
    assert [row.id for row in await world.reads.approvals(State.EXPIRED, before=None, limit=9)] == [granted, asked]
    assert list(await world.reads.approvals(State.PENDING, before=None, limit=9)) == []
    assert list(await world.reads.approvals(State.APPROVED, before=None, limit=9)) == []
    assert [row.state for row in await world.reads.approvals(None, before=None, limit=9)] == [State.EXPIRED] * 2
    assert (await world.reads.approval_now(asked)).state is State.EXPIRED  # type: ignore[union-attr]


async def test_entries_are_found_between_positions_by_event_and_by_what_they_mention(world: World) -> None:
    size = (await world.reads.head()).size
    other = await world.agent("other")
    by_id = await world.reads.entries(EntryFilter(mentions=(other,)), above=0, below=1 << 40, limit=9)
    assert [entry.seq for entry in by_id] == [size]
    assert list(await world.reads.entries(EntryFilter(mentions=("oth",)), above=0, below=1 << 40, limit=9)) == []
    assert list(await world.reads.entries(EntryFilter(mentions=(other,)), above=0, below=size, limit=9)) == []
    created = await world.reads.entries(EntryFilter(event="agent.created"), above=0, below=1 << 40, limit=9)
    assert [entry.event for entry in created] == ["agent.created"] * 2
    chain = await world.reads.chain(0, 100)
    assert [entry.seq for entry in chain] == list(range(size + 1))


async def test_catalogs_in_force_are_listed_with_the_beginning_of_their_texts_and_shown_with_all(world: World) -> None:
    for service, facts in (("bank", "one"), ("shop", "two"), ("bank", "three" * 2000)):
        change = AddCatalog(
            catalog_id=CatalogId(fresh("cat")), service=service, revision=f"sha256:{facts}", facts=facts, hosts=("a.test",),
            operations=7, by="ann", count_limit=9, bytes_limit=99_999,
        )  # fmt: skip
        await world.append(
            Item(drafts=(catalog_added(service, change.revision, hosts=change.hosts, operations=7, by="ann"),), change=change)
        )
    newest, oldest = await world.reads.catalogs(before=None, limit=9)
    assert [(row.service, row.revision, row.facts) for row in (newest, oldest)] == [
        ("bank", f"sha256:{'three' * 2000}", ("three" * 2000)[:8192]),
        ("shop", "sha256:two", "two"),
    ]
    assert list(await world.reads.catalogs(before=newest.id, limit=9)) == [oldest]
    found = await world.reads.catalog("bank")
    assert found is not None
    assert (found.facts, found.hosts, found.operations, found.added_by) == ("three" * 2000, ("a.test",), 7, "ann")
    assert await world.reads.catalog("nobody") is None


async def test_nothing_that_is_not_there_is_made_up(world: World) -> None:
    assert await world.reads.ca_pem() is None
    assert await world.reads.active_policy() is None
    assert await world.reads.active_revision() is None
    assert list(await world.reads.policies(before=None, limit=9)) == []
    assert await world.reads.claim(world.agent_id, "k") is None
    assert await world.reads.approval(ApprovalId("apr_" + "0" * 32)) is None
    assert await world.reads.action(ActionId("act_" + "0" * 32)) is None


async def test_a_database_that_is_away_is_one_error(world: World) -> None:
    reads = PostgresReads(await asyncpg.create_pool(_nowhere(), min_size=0, timeout=1), Sealer(bytes(32)))
    with pytest.raises(LedgerUnavailable):
        await reads.ping()


def _nowhere() -> str:
    return "postgres://aaf@127.0.0.1:1/aaf"
