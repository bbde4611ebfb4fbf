"""All state in memory, and what may happen to it: postgres/migrations/0002_changes.sql in Python."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from firewall.approval import Approval, Choice, State, grant_until
from firewall.audit.chain import Row
from firewall.backends.memory.catalogs import MemoryCatalogs
from firewall.catalogs import AddCatalog, RemoveCatalog
from firewall.egress import Destinations
from firewall.ids import ActionId, AgentId, ApprovalId, TokenId, WriterId
from firewall.policy import destinations
from firewall.ports import (
    ActivatePolicy,
    AddToken,
    Agent,
    CastVote,
    Change,
    ClaimKey,
    CreateAgent,
    CreateKey,
    Credential,
    DisableAgent,
    ExpireApproval,
    Lost,
    OpenApproval,
    RevokeKey,
    RevokeToken,
    SpendGrant,
)

CLAIM_LASTS = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class _Waiter:
    approval_id: ApprovalId
    agent_id: AgentId
    writer: WriterId
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A change that happened. Unless `settled`, only the item's first entry is written."""

    settled: bool = True
    state: State | None = None


class Memory:
    """All state, and the chain. `clock` says the time, in UTC."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), origin: str = "memory") -> None:
        self.clock = clock
        self.origin = origin
        self.rows: list[Row] = []
        self.agents: dict[AgentId, Agent] = {}
        self.credentials: dict[bytes, Credential] = {}
        self.keys: dict[str, CreateKey] = {}
        self.revoked_keys: set[str] = set()
        self.policies: dict[str, Destinations] = {}
        self.active: str | None = None
        self.approvals: dict[ApprovalId, Approval] = {}
        self.votes: dict[ApprovalId, dict[str, Choice]] = {}
        self.waiters: dict[ActionId, _Waiter] = {}
        self.claims: dict[tuple[AgentId, str], tuple[ClaimKey, datetime]] = {}
        self.gone: set[WriterId] = set()
        """Writers whose process has ended: their waiters count no more."""
        self.callbacks: list[Callable[[], None]] = []
        self.catalogs = MemoryCatalogs()

    def tell(self) -> None:
        for callback in self.callbacks:
            callback()

    def apply(self, writer: WriterId, change: Change) -> _Done | Lost:
        match change:
            case OpenApproval():
                return self._open(writer, change)
            case SpendGrant():
                return self._spend(change)
            case CastVote():
                return self._vote(change)
            case ExpireApproval():
                return self._expire(change)
            case CreateAgent() | AddToken() | RevokeToken() | DisableAgent():
                return self._change_agent(change)
            case CreateKey():
                if change.key_id in self.keys or any(key.key_hash == change.key_hash for key in self.keys.values()):
                    return Lost(code="exists")
                self.keys[change.key_id] = change
            case RevokeKey():
                if change.key_id not in self.keys or change.key_id in self.revoked_keys:
                    return Lost(code="missing")
                self.revoked_keys.add(change.key_id)
            case ActivatePolicy():
                if self.active == change.revision:
                    return Lost(code="active")
                self.policies.setdefault(change.revision, destinations(change.data))
                self.active = change.revision
            case ClaimKey():
                return self._claim(change)
            case AddCatalog() | RemoveCatalog():
                lost = self.catalogs.apply(change)
                return _Done() if lost is None else Lost(code=lost)
            case _:
                assert_never(change)
        return _Done()

    def _change_agent(self, change: CreateAgent | AddToken | RevokeToken | DisableAgent) -> _Done | Lost:
        agent = self.agents.get(change.agent_id)
        match change:
            case CreateAgent():
                if any(each.name == change.name for each in self.agents.values()):
                    return Lost(code="exists")
                agent = Agent(id=change.agent_id, name=change.name, enabled=True, hold_seconds=change.hold_seconds)
                self.agents[agent.id] = agent
                self._add_token(agent, change.token_id, change.token_hash, None)
            case AddToken():
                if agent is None:
                    return Lost(code="missing")
                if not agent.enabled:
                    return Lost(code="agent-disabled")
                if change.revoke_others:
                    self._drop_tokens(lambda each: each.agent.id == change.agent_id)
                self._add_token(agent, change.token_id, change.token_hash, change.expires_at)
            case RevokeToken():
                if not self._drop_tokens(lambda each: each.token_id == change.token_id and each.agent.id == change.agent_id):
                    return Lost(code="missing")
            case DisableAgent():
                if agent is None:
                    return Lost(code="missing")
                if not agent.enabled:
                    return Lost(code="agent-disabled")
                self.agents[agent.id] = replace(agent, enabled=False)
                self._drop_tokens(lambda each: each.agent.id == change.agent_id)
            case _:
                assert_never(change)
        self.tell()
        return _Done()

    def _add_token(self, agent: Agent, token_id: str, token_hash: bytes, expires_at: datetime | None) -> None:
        self.credentials[token_hash] = Credential(
            agent=agent, token_id=TokenId(token_id), token_hash=token_hash, expires_at=expires_at
        )

    def _drop_tokens(self, which: Callable[[Credential], bool]) -> int:
        ended = [key for key, credential in self.credentials.items() if which(credential)]
        for key in ended:
            del self.credentials[key]
        return len(ended)

    def _claim(self, change: ClaimKey) -> _Done | Lost:
        now, place = self.clock(), (change.agent_id, change.key)
        claimed = self.claims.get(place)
        if claimed is not None and claimed[1] >= now - CLAIM_LASTS:
            if claimed[0].params_hash == change.params_hash:
                return Lost(code="replayed", action_id=claimed[0].action_id)
            return Lost(code="conflict")
        self.claims[place] = (change, now)
        return _Done()

    def _enabled(self, agent_id: AgentId) -> bool:
        agent = self.agents.get(agent_id)
        return agent is not None and agent.enabled

    def _waiting(self) -> dict[ActionId, _Waiter]:
        return {action: waiter for action, waiter in self.waiters.items() if waiter.writer not in self.gone}

    def _open(self, writer: WriterId, change: OpenApproval) -> _Done | Lost:
        if not self._enabled(change.agent_id):
            return Lost(code="agent-disabled")
        now = self.clock()
        same = [each for each in self.approvals.values() if each.digest == change.digest]
        latest = max(same, key=lambda each: (each.requested_at, each.id), default=None)
        found = None if latest is None else _answer(latest, now)
        if latest is not None and found in {"denied", "expired"}:
            return Lost(code=str(found), approval_id=latest.id, state=State(found))
        if change.waits:
            held = sum(waiter.agent_id == change.agent_id for waiter in self._waiting().values())
            mine = self.waiters.get(change.action_id)
            if mine is None and held >= change.holds_limit:
                return Lost(code="too-many-holds")
            self.waiters[change.action_id] = _Waiter(
                approval_id=change.approval_id if latest is None or found is None else latest.id,
                agent_id=change.agent_id,
                writer=writer,
                since=now if mine is None else mine.since,
            )
        if latest is not None and found is not None:
            return Lost(code=found, approval_id=latest.id)
        self.approvals[change.approval_id] = Approval(
            id=change.approval_id,
            state=State.PENDING,
            digest=change.digest,
            agent=change.agent,
            agent_id=change.agent_id,
            action_id=change.action_id,
            name=change.name,
            kind=change.kind,
            risk=change.risk,
            method=change.method,
            host=change.host,
            reason=change.reason,
            rules=change.rules,
            revision=change.revision,
            terms=change.terms,
            requested_at=now,
            expires_at=now + timedelta(seconds=change.terms.expires_in),
        )
        return _Done()

    def _spend(self, change: SpendGrant) -> _Done | Lost:
        now = self.clock()
        approval = self.approvals.get(change.approval_id)
        if approval is None or (approval.digest, approval.agent_id) != (change.digest, change.agent_id):
            return Lost(code="not-approved")
        if not self._enabled(change.agent_id):
            return Lost(code="agent-disabled")
        if self.active != change.revision:
            return Lost(code="policy-changed")
        if approval.state_at(now) is not State.APPROVED:
            return Lost(code="not-approved", state=approval.state_at(now) if approval.state is State.APPROVED else approval.state)
        mine = self.waiters.get(change.action_id)
        place = (now if mine is None else mine.since, change.action_id)
        for action, waiter in self._waiting().items():
            if waiter.approval_id == approval.id and action != change.action_id and (waiter.since, action) < place:
                return Lost(code="not-oldest")
        self.approvals[approval.id] = replace(approval, state=State.SPENT, spent_by=change.action_id)
        self.waiters.pop(change.action_id, None)
        return _Done()

    def _vote(self, change: CastVote) -> _Done | Lost:
        now = self.clock()
        approval = self.approvals.get(change.approval_id)
        if approval is None:
            return Lost(code="missing")
        if approval.state_at(now) is not State.PENDING:
            return Lost(code="decided", state=State.EXPIRED if approval.state is State.PENDING else approval.state)
        votes = self.votes.setdefault(approval.id, {})
        if change.voter_id in votes:
            return Lost(code="decided", state=State.PENDING)
        votes[change.voter_id] = change.choice
        if change.choice is Choice.DENY:
            state = State.DENIED
        elif sum(choice is Choice.APPROVE for choice in votes.values()) >= approval.terms.quorum:
            state = State.APPROVED
        else:
            return _Done(settled=False, state=State.PENDING)
        self.approvals[approval.id] = replace(
            approval,
            state=state,
            decided_at=now,
            decided_by=change.voter,
            comment=change.comment,
            grant_until=grant_until(approval.terms, approval.expires_at, now) if state is State.APPROVED else None,
        )
        return _Done(state=state)

    def _expire(self, change: ExpireApproval) -> _Done | Lost:
        approval = self.approvals.get(change.approval_id)
        if approval is None or approval.state is State.EXPIRED or approval.state_at(self.clock()) is not State.EXPIRED:
            return Lost(code="not-expired")
        self.approvals[approval.id] = replace(approval, state=State.EXPIRED)
        return _Done()


def _answer(latest: Approval, now: datetime) -> str | None:
    """What the newest approval of a digest says to one more request, if it says anything."""
    match latest.state_at(now):
        case State.PENDING:
            return "attached"
        case State.APPROVED:
            return "granted"
        case State.EXPIRED if latest.state is not State.EXPIRED:
            return "expired"  # whatever the time: it is in the way until the worker writes it down
        case State.DENIED | State.EXPIRED as state if latest.refuses_at(now):
            return state.value
        case _:
            return None
