"""Approvals whose time is over, on a real database: asked for as a gateway asks, decided as the control API decides."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from firewall.action import Action, Kind, Risk, Source
from firewall.approval import Choice
from firewall.audit import events
from firewall.audit.entry import Event
from firewall.backends.postgres.store import Store
from firewall.ids import ActionId, AgentId, ApprovalId, new_id
from firewall.ports import Appended, CastVote, CreateAgent, Item, OpenApproval
from firewall.seal import Sealer
from firewall.verdict import Terms


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def opened(database: Any, sealer: Sealer, process: str = "gateway") -> AsyncIterator[Store]:
    store = await Store.connect(database.app_dsn, sealer=sealer, process=process)
    try:
        yield store
    finally:
        await store.close()


async def agent(store: Store, name: str = "build-bot") -> AgentId:
    agent_id = AgentId(new_id("agt", now_ms()))
    change = CreateAgent(agent_id=agent_id, name=name, token_id=new_id("tok", now_ms()), token_hash=name.encode().ljust(32))
    entry = events.agent_event(Event.AGENT_CREATED, agent_id, name, by="test")
    assert isinstance(await store.ledger.append(Item(drafts=(entry,), change=change)), Appended)
    return agent_id


async def ask(store: Store, agent_id: AgentId, digest: int, terms: Terms) -> ApprovalId:
    """Opens an approval for an action of its own, told apart by `digest`."""
    approval_id, action_id = ApprovalId(new_id("apr", now_ms())), ActionId(new_id("act", now_ms()))
    action = Action(
        id=action_id, agent="build-bot", agent_id=agent_id, service="http", operation="POST", kind=Kind.WRITE, risk=Risk.MEDIUM,
        method="POST", scheme="https", host="example.com", port=443, path="/", query="", resource={},
        digest=f"sha256:{digest:064x}", source=Source.PROXY,
    )  # fmt: skip
    change = OpenApproval(
        approval_id=approval_id, action_id=action_id, digest=action.digest, agent=action.agent, agent_id=agent_id,
        name=action.name, kind=action.kind.value, risk=action.risk.value, method=action.method, host=action.host, reason="asked",
        rules=("r",), revision="sha256:0", terms=terms, summary={}, waits=False, holds_limit=10,
    )  # fmt: skip
    entry = events.requested(approval_id, action, rules=("r",), revision="sha256:0", expires_in=terms.expires_in)
    assert isinstance(await store.ledger.append(Item(drafts=(entry,), change=change)), Appended)
    return approval_id


async def approve(store: Store, approval_id: ApprovalId) -> None:
    who = {"voter": "ann", "voter_id": "key_1"}
    drafts = (
        events.voted(approval_id, **who, choice=Choice.APPROVE, comment="", channel="api"),
        events.approval_settled(approval_id, choice=Choice.APPROVE, **who),
    )
    change = CastVote(approval_id=approval_id, **who, choice=Choice.APPROVE, comment="")
    assert isinstance(await store.ledger.append(Item(drafts=drafts, change=change)), Appended)


async def stored(store: Store, approval_id: ApprovalId) -> str:
    """The state as it stands in the row, whatever time it is."""
    found = await store.approvals.get(approval_id)
    assert found is not None
    return found.state.value


async def expiries(store: Store) -> list[str]:
    rows = await store.pool.fetch(
        "select convert_from(body, 'UTF8')::jsonb ->> 'approval' as id from aaf.audit_log where event = 'approval.expired' order by seq"
    )
    return [row["id"] for row in rows]
