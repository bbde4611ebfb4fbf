"""An agent, a policy, a request that is asked about again and again: short words for long changes, so that tests read as
transcripts. Every word answers with what happened: `opened`, `attached`, `spent`, `not-oldest` …"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from firewall.action import Action, Kind, Risk
from firewall.approval import Choice
from firewall.audit.entry import Event
from firewall.audit.events import (
    agent_event,
    approval_settled,
    catalog_added,
    catalog_removed,
    expired,
    grant_spent,
    key_event,
    policy_activated,
    requested,
    voted,
)
from firewall.catalogs import AddCatalog, RemoveCatalog
from firewall.ids import ActionId, AgentId, ApprovalId, CatalogId
from firewall.ports import (
    ActivatePolicy,
    AddToken,
    Appended,
    CastVote,
    Change,
    ClaimKey,
    CreateAgent,
    CreateKey,
    DisableAgent,
    ExpireApproval,
    Item,
    Lost,
    OpenApproval,
    Outcome,
    RevokeKey,
    RevokeToken,
    SpendGrant,
)
from firewall.verdict import Terms
from tests.contracts.backends import Process, hash_of

POLICY: dict[str, Any] = {"destinations": {"ports": [443], "allow_private": ["10.1.2.0/24"]}}


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Waits until `condition` holds, which it must before `seconds` are over."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


def fresh(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


class Scene:
    """`last`: the outcome of the last word, whole. `approval`: the approval that was opened or found last."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.agent = AgentId(fresh("agt"))
        self.digest = "sha256:" + uuid.uuid4().hex * 2
        self.approval = ApprovalId(fresh("apr"))
        self.revision = "sha256:1"
        self.actions: dict[str, ActionId] = {}
        self.last: Outcome = Lost(code="nothing happened")

    async def begins(self) -> None:
        assert await self.creates_agent(self.agent, "bot", "secret") == "done"
        assert await self.activates(self.revision) == "done"

    async def appends(self, *drafts: Any, change: Change | None, process: Process | None = None, done: str = "done") -> str:
        self.last = await (process or self.process).ledger.append(Item(drafts=drafts, change=change))
        match self.last:
            case Appended(state=state):
                return done if state is None else state.value
            case Lost(code=code, state=state):
                return code if state is None or state.value == code else f"{code} {state.value}"

    # --- agents, keys, policy -------------------------------------------------------------------------------------------

    async def creates_agent(self, agent: AgentId, name: str, token: str, hold_seconds: int | None = None) -> str:
        change = CreateAgent(agent_id=agent, name=name, token_id=fresh("tok"), token_hash=hash_of(token), hold_seconds=hold_seconds)
        return await self.appends(agent_event(Event.AGENT_CREATED, agent, name, by="ann"), change=change)

    async def adds_token(self, token: str, *, token_id: str | None = None, agent: AgentId | None = None, **more: Any) -> str:
        change = AddToken(agent_id=agent or self.agent, token_id=token_id or fresh("tok"), token_hash=hash_of(token), **more)
        return await self.appends(agent_event(Event.AGENT_ROTATED, change.agent_id, "bot", by="ann"), change=change)

    async def revokes_token(self, token_id: str) -> str:
        change = RevokeToken(agent_id=self.agent, token_id=token_id)
        return await self.appends(agent_event(Event.AGENT_ROTATED, self.agent, "bot", by="ann"), change=change)

    async def disables(self, agent: AgentId | None = None) -> str:
        change = DisableAgent(agent_id=agent or self.agent)
        return await self.appends(agent_event(Event.AGENT_DISABLED, change.agent_id, "bot", by="ann"), change=change)

    async def creates_key(self, key_id: str, secret: str) -> str:
        change = CreateKey(key_id=key_id, name="ann", role="approver", key_hash=hash_of(secret))
        return await self.appends(key_event(Event.KEY_CREATED, key_id, name="ann", role="approver", by="bob"), change=change)

    async def revokes_key(self, key_id: str) -> str:
        entry = key_event(Event.KEY_REVOKED, key_id, name="ann", role="approver", by="bob")
        return await self.appends(entry, change=RevokeKey(key_id=key_id))

    async def activates(self, revision: str) -> str:
        change = ActivatePolicy(revision=revision, document="version: 1", data=POLICY, author="ann")
        return await self.appends(policy_activated(revision, "ann"), change=change)

    async def adds_catalog(self, service: str, facts: str, *, count_limit: int = 100, bytes_limit: int = 1 << 20) -> str:
        change = AddCatalog(
            catalog_id=CatalogId(fresh("cat")), service=service, revision=f"sha256:{facts[:1000]}", facts=facts,
            hosts=("a.test", "*.b.test"), operations=1, by="ann", count_limit=count_limit, bytes_limit=bytes_limit,
        )  # fmt: skip
        entry = catalog_added(service, change.revision, hosts=change.hosts, operations=1, by="ann")
        return await self.appends(entry, change=change)

    async def removes_catalog(self, service: str, facts: str) -> str:
        change = RemoveCatalog(service=service, revision=f"sha256:{facts[:1000]}", by="bob")
        return await self.appends(catalog_removed(service, change.revision, by="bob"), change=change)

    async def claims(self, key: str, params: str, action: str) -> str:
        change = ClaimKey(agent_id=self.agent, key=key, params_hash=hash_of(params), action_id=self.action_id(action))
        return await self.appends(grant_spent(self.approval, self.action(action)), change=change)

    # --- one request, held ----------------------------------------------------------------------------------------------

    def action_id(self, name: str) -> ActionId:
        return self.actions.setdefault(name, ActionId(fresh("act")))

    def action(self, name: str, digest: str | None = None) -> Action:
        return Action(
            id=self.action_id(name), agent="bot", agent_id=self.agent, service="http", operation="POST", kind=Kind.WRITE,
            risk=Risk.HIGH, method="POST", scheme="https", host="x.example", port=443, path="/p", segments=("p",),
            query="q=1", digest=digest or self.digest,
        )  # fmt: skip

    async def opens(
        self,
        name: str,
        *,
        by: Process | None = None,
        waits: bool = True,
        holds_limit: int = 1000,
        digest: str | None = None,
        agent: AgentId | None = None,
        **terms: int,
    ) -> str:
        action, offered = self.action(name, digest), ApprovalId(fresh("apr"))
        change = OpenApproval(
            approval_id=offered, action_id=action.id, digest=action.digest, agent=action.agent, agent_id=agent or self.agent,
            name=action.name, kind="write", risk="high", method="POST", host=action.host, reason="writes are asked about",
            rules=("writes",), revision=self.revision, terms=Terms(**{"expires_in": 86_400, **terms}), summary={"path": "/p"},  # type: ignore[arg-type]
            waits=waits, holds_limit=holds_limit,
        )  # fmt: skip
        entry = requested(offered, action, rules=change.rules, revision=change.revision, expires_in=change.terms.expires_in)
        said = await self.appends(entry, change=change, process=by, done="opened")
        if said == "opened":
            self.approval = offered
        elif isinstance(self.last, Lost) and self.last.approval_id is not None:
            self.approval = self.last.approval_id
        return said

    async def votes(self, choice: Choice, voter: str, comment: str = "", approval: ApprovalId | None = None) -> str:
        approval = approval or self.approval
        change = CastVote(approval_id=approval, voter_id=f"key_{voter}", voter=voter, choice=choice, comment=comment)
        return await self.appends(
            voted(approval, voter=voter, voter_id=change.voter_id, choice=choice, comment=comment, channel="api"),
            approval_settled(approval, choice=choice, voter=voter, voter_id=change.voter_id),
            change=change,
        )

    async def approves(self, voter: str = "ann", comment: str = "") -> str:
        return await self.votes(Choice.APPROVE, voter, comment)

    async def denies(self, voter: str = "ann", comment: str = "") -> str:
        return await self.votes(Choice.DENY, voter, comment)

    async def expires(self, approval: ApprovalId | None = None) -> str:
        approval = approval or self.approval
        return await self.appends(expired(approval), change=ExpireApproval(approval_id=approval), done="expired")

    async def spends(
        self, name: str, *, by: Process | None = None, approval: ApprovalId | None = None, digest: str | None = None,
        agent: AgentId | None = None, revision: str | None = None,
    ) -> str:  # fmt: skip
        action, approval = self.action(name, digest), approval or self.approval
        change = SpendGrant(
            approval_id=approval, action_id=action.id, digest=action.digest, agent_id=agent or self.agent,
            revision=revision or self.revision,
        )  # fmt: skip
        return await self.appends(grant_spent(approval, action), change=change, process=by, done="spent")

    def leaves(self, name: str) -> None:
        self.process.ledger.leave(self.action_id(name))

    async def state(self) -> str:
        return (await self.process.approvals.states([self.approval]))[self.approval].value
