"""What the domain needs from the outside, as Protocols. The real and the in-memory backends pass the same contract tests
(`tests/contracts/`).

Everything that changes state goes through one door, `Ledger.append`: entries of the audit chain and, with them in the same
commit, at most one `Change`. A change that can no longer happen (the approval was decided, the grant was spent, the
agent was disabled) is a `Lost`, and nothing of its item is written.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from firewall.approval import Approval, Choice, State
from firewall.audit.entry import Draft
from firewall.catalogs import AddCatalog, RemoveCatalog
from firewall.egress import Destinations
from firewall.ids import ActionId, AgentId, ApprovalId, TokenId
from firewall.verdict import Terms, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApproval:
    """Ask for an approval of `digest`, or attach to what is there already. `summary` is sealed: what the approver reads.

    With `waits` the caller joins the queue of waiters, oldest first, until `leave`.
    Outcome: `Opened` when the item's entries were written, else `Lost` with code `attached`, `granted`, `denied`,
    `expired` or `too-many-holds`, and `approval_id` of what was found.
    """

    approval_id: ApprovalId
    action_id: ActionId
    digest: str
    agent: str
    agent_id: AgentId
    name: str
    kind: str
    risk: str
    method: str
    host: str
    reason: str
    rules: tuple[str, ...]
    revision: str
    terms: Terms
    summary: Mapping[str, Any]
    waits: bool
    holds_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendGrant:
    """Spend an approved approval for one request. Lost with code `not-approved` (someone else spent it, or it ended),
    `not-oldest` (an older live waiter goes first), `agent-disabled`, or `policy-changed` (`revision` is no longer the
    active one, so the caller asks again)."""

    approval_id: ApprovalId
    action_id: ActionId
    digest: str
    agent_id: AgentId
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """One person's decision. The entries after the first are written only if the vote settles the approval.
    Lost with code `missing` or `decided`, and the `state` that was found."""

    approval_id: ApprovalId
    voter_id: str
    voter: str
    choice: Choice
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireApproval:
    """Write down that time ended an approval. Lost with code `not-expired`."""

    approval_id: ApprovalId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAgent:
    """Lost with code `exists`. Tokens are SHA-256 hashes; `expires_at` None means until revoked."""

    agent_id: AgentId
    name: str
    token_id: str
    token_hash: bytes
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToken:
    """A further token of an agent (`aaf run`, `aaf env`, rotation). With `revoke_others` every older one ends now.
    Lost with code `missing` or `agent-disabled`."""

    agent_id: AgentId
    token_id: str
    token_hash: bytes
    expires_at: datetime | None = None
    revoke_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """End one token of an agent. Lost with code `missing`."""

    agent_id: AgentId
    token_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableAgent:
    """Lost with code `missing` or `agent-disabled`."""

    agent_id: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """An API key of a person. Lost with code `exists`."""

    key_id: str
    name: str
    role: str
    key_hash: bytes
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """Lost with code `missing`."""

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatePolicy:
    """Store a revision, if it is new, and make it the active one. Lost with code `active` when it is already."""

    revision: str
    document: str
    data: Mapping[str, Any]
    author: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimKey:
    """Claim an idempotency key for a submitted action, 24 h for each agent. Lost with code `replayed` (the same
    parameters; `action_id` says which action it was) or `conflict`."""

    agent_id: AgentId
    key: str
    params_hash: bytes
    action_id: ActionId


Change = (
    OpenApproval | SpendGrant | CastVote | ExpireApproval | CreateAgent | AddToken | RevokeToken | DisableAgent | CreateKey
    | RevokeKey | ActivatePolicy | ClaimKey | AddCatalog | RemoveCatalog
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one caller appends at once: its entries and the change that goes with them, all or nothing."""

    drafts: tuple[Draft, ...]
    change: Change | None = None

    def __post_init__(self) -> None:
        if not self.drafts:
            raise ValueError("an item has at least one entry: nothing changes without one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Committed, durably. `seqs`: the positions of the entries written. `state`: the approval's, after a vote."""

    seqs: tuple[int, ...]
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Nothing of the item was written, because the change could no longer happen. `code` says why."""

    code: str
    approval_id: ApprovalId | None = None
    action_id: ActionId | None = None
    state: State | None = None


Outcome = Appended | Lost


class Ledger(Protocol):
    """The audit chain and the state that moves with it."""

    def append(self, item: Item) -> Awaitable[Outcome]:
        """Resolves when committed. Raises LedgerUnavailable; whether a lost connection committed is found out, not guessed."""
        ...

    def note(self, item: Item) -> Awaitable[Outcome]:
        """As `append`, for what nobody waits for: it goes with the next batch, or by itself a moment later."""
        ...

    def leave(self, action_id: ActionId) -> None:
        """This request no longer waits. A hint: a waiter whose process is gone is skipped all the same."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    id: AgentId
    name: str
    enabled: bool
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A live token and whose it is. `token_hash`: SHA-256 of the token, 32 bytes; `expires_at` None means until revoked."""

    agent: Agent
    token_id: TokenId
    token_hash: bytes
    expires_at: datetime | None

    def live_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class Agents(Protocol):
    """Who a token belongs to, from memory where it can be."""

    def known(self, name: str, token: str) -> Credential | None:
        """What is in memory. `name`: the agent's name or id."""

    def is_live(self, credential: Credential) -> bool:
        """Whether a credential that was good still is: asked for every request, and while one is held."""
        ...

    async def find(self, name: str, token: str) -> Credential | None:
        """Looks further than memory. Raises LedgerUnavailable."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """`callback` runs whenever agents or tokens may have changed."""


class Holders(Agents, Protocol):
    """For the control API, where an agent may show its token without its name."""

    async def holder(self, token: str) -> Credential | None:
        """Raises LedgerUnavailable."""
        ...


class Approvals(Protocol):
    async def get(self, approval_id: ApprovalId) -> Approval | None:
        """Raises LedgerUnavailable."""
        ...

    async def states(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, State]:
        """The states that count now, of those that exist: the poll behind NOTIFY. Raises LedgerUnavailable."""
        ...


class Engine(Protocol):
    """Decides. Raises EngineUnavailable when it cannot; never guesses."""

    def decide(self, question: Mapping[str, Any]) -> Awaitable[Verdict]: ...


class Revisions(Protocol):
    """Policy revisions that exist, and what they say of destinations."""

    @property
    def active(self) -> str | None: ...

    def kept(self, revision: str) -> Destinations | None:
        """What is in memory."""

    async def find(self, revision: str) -> Destinations | None:
        """None for a revision that nobody stored: its decisions count for nothing. Raises EngineUnavailable."""
