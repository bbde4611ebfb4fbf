"""Approvals: the state machine `pending → approved → spent`, or `denied`, `expired`, `cancelled` (SEMANTICS 3).

Pure: what may happen to an approval at an instant. The ledgers apply these rules in the transaction that records them; the
SQL in `backends/postgres/` says the same, and the contract tests hold both to it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from firewall.ids import ActionId, AgentId, ApprovalId
from firewall.verdict import Terms

QUIET_AFTER_REFUSAL = timedelta(minutes=10)
"""How long a denial or an expiry answers the same digest before a new approval may open."""


class State(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    SPENT = "spent"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Choice(StrEnum):
    APPROVE = "approve"
    DENY = "deny"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.APPROVED, State.DENIED, State.EXPIRED, State.CANCELLED}),
    State.APPROVED: frozenset({State.SPENT, State.EXPIRED, State.CANCELLED}),
    State.SPENT: frozenset(),
    State.DENIED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question to people. `digest`: `sha256:` and 64 hexadecimal digits; times are UTC.

    `expires_at` ends the question; once approved, `grant_until` ends the grant: the earlier of `expires_at` and
    `grant_for` seconds after the approval.
    """

    id: ApprovalId
    state: State
    digest: str
    agent: str
    agent_id: AgentId
    action_id: ActionId
    name: str
    kind: str
    risk: str
    method: str
    host: str
    reason: str
    rules: tuple[str, ...]
    revision: str
    terms: Terms
    requested_at: datetime
    expires_at: datetime
    grant_until: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    comment: str | None = None
    spent_by: ActionId | None = None

    def state_at(self, now: datetime) -> State:
        """The state that counts at `now`: time ends a question or a grant even before the worker has written it down."""
        if self.state is State.PENDING and now >= self.expires_at:
            return State.EXPIRED
        if self.state is State.APPROVED and now >= self._ends_at():
            return State.EXPIRED
        return self.state

    def refuses_at(self, now: datetime) -> bool:
        """Whether this denied or expired approval still answers its digest with 403."""
        match self.state_at(now):
            case State.DENIED:
                ended = self.decided_at
            case State.EXPIRED:
                ended = self._ends_at()
            case _:
                return False
        return ended is not None and now < ended + QUIET_AFTER_REFUSAL

    def _ends_at(self) -> datetime:
        return self.expires_at if self.grant_until is None else self.grant_until


def grant_until(terms: Terms, expires_at: datetime, approved_at: datetime) -> datetime:
    return min(expires_at, approved_at + timedelta(seconds=terms.grant_for))
