"""What people and programs read through the API: rows, and the port that fetches them. Every list is newest first.

Nothing here changes state; that is the ledger's alone. Every method of `Reads` raises LedgerUnavailable when the database
cannot be asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from firewall.approval import Approval, State
from firewall.ids import ActionId, AgentId, ApprovalId, CatalogId, KeyId, TokenId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An API key of a person: never the key itself."""

    id: KeyId
    role: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """`live_tokens`: the identifiers of the credentials that work now."""

    id: AgentId
    name: str
    created_at: datetime
    disabled_at: datetime | None
    hold_seconds: int | None
    live_tokens: tuple[TokenId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One attempt, as its entries say. `parts`: what the entry only commits to (path, query, resource, digest, reason), or
    None once that was erased. `approval_state` counts now; `approval_spent_by` is the action that used the grant."""

    id: ActionId
    at: datetime
    agent_id: AgentId
    agent: str
    name: str
    kind: str
    risk: str
    method: str
    scheme: str
    host: str
    port: int
    source: str
    effect: str
    code: str | None
    rules: tuple[str, ...]
    revision: str
    approval_id: ApprovalId | None
    decided_seq: int
    outcome: str | None
    status: int | None
    request_bytes: int | None
    response_bytes: int | None
    duration_ms: int | None
    parts: Mapping[str, bytes] | None
    approval_state: State | None = None
    approval_spent_by: ActionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFilter:
    """None matches everything. `agent` is a name; `agent_id` is what an agent's own requests are held to."""

    agent: str | None = None
    agent_id: AgentId | None = None
    name: str | None = None
    effect: str | None = None
    host: str | None = None
    source: str | None = None
    approval_id: ApprovalId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRecord:
    voter: str
    choice: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDetail:
    """`summary`: what the approver reads, opened; None when it was sealed with a master key that is gone."""

    approval: Approval
    summary: Mapping[str, Any] | None
    votes: tuple[VoteRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    revision: str
    author: str
    message: str
    created_at: datetime
    activated_at: datetime | None
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRecord:
    """A user's catalog that is in force. `facts`: its text."""

    id: CatalogId
    service: str
    revision: str
    hosts: tuple[str, ...]
    operations: int
    added_by: str
    added_at: datetime
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An idempotency key that is taken: for which parameters, and by which action."""

    params_hash: bytes
    action_id: ActionId


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """An entry of the chain; `body` exactly as it was hashed."""

    seq: int
    event: str
    event_hash: bytes
    leaf_hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """None matches everything. `mentions`: an identifier or a name that stands in the body as a value."""

    from_seq: int = 0
    event: str | None = None
    mentions: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    origin: str
    size: int
    last_leaf: bytes


class Reads(Protocol):
    async def ping(self) -> None: ...

    async def key(self, key_hash: bytes) -> KeyRecord | None:
        """The live key with this SHA-256."""
        ...

    async def keys(self, *, before: KeyId | None, limit: int) -> Sequence[KeyRecord]: ...

    async def key_by_id(self, key_id: KeyId) -> KeyRecord | None: ...

    async def agents(self, *, before: AgentId | None, limit: int) -> Sequence[AgentRecord]: ...

    async def agent(self, agent_id: AgentId) -> AgentRecord | None: ...

    async def actions(self, which: ActionFilter, *, before: ActionId | None, limit: int) -> Sequence[ActionRecord]: ...

    async def action(self, action_id: ActionId) -> ActionRecord | None: ...

    async def claim(self, agent_id: AgentId, key: str) -> Claim | None: ...

    async def approvals(self, status: State | None, *, before: ApprovalId | None, limit: int) -> Sequence[Approval]: ...

    async def approval(self, approval_id: ApprovalId) -> ApprovalDetail | None: ...

    async def summaries(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, Mapping[str, Any]]:
        """What approvers read of each; without those that cannot be opened any more."""
        ...

    async def approval_now(self, approval_id: ApprovalId) -> Approval | None:
        """Its state that counts now, without votes and summary."""
        ...

    async def pending_count(self, agent_id: AgentId) -> int:
        """How many approvals of this agent are pending."""
        ...

    async def policies(self, *, before: datetime | None, limit: int) -> Sequence[PolicyRecord]: ...

    async def active_policy(self) -> PolicyRecord | None: ...

    async def active_revision(self) -> str | None: ...

    async def catalogs(self, *, before: CatalogId | None, limit: int) -> Sequence[CatalogRecord]:
        """Those in force, newest first, with the first 8,192 characters of their texts."""
        ...

    async def catalog(self, service: str) -> CatalogRecord | None: ...

    async def entries(self, which: EntryFilter, *, above: int, below: int, limit: int) -> Sequence[EntryRecord]:
        """Those that match in `above <= seq < below`, newest first."""
        ...

    async def chain(self, first: int, limit: int) -> Sequence[EntryRecord]:
        """The entries from `first` on, oldest first."""
        ...

    async def head(self) -> Head: ...

    async def ca_pem(self) -> str | None: ...
