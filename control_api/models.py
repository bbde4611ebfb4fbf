"""The bodies and query strings that the API takes and gives. OpenAPI is generated from these."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from firewall.approval import State

AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})$")]
PersonName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$", strip_whitespace=True)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$")]
Service = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Comment = Annotated[str, StringConstraints(max_length=4000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ExpiresIn = Annotated[int, Field(ge=1, le=366 * 86_400, description="Seconds until it ends.")]
Limit = Annotated[int, Field(ge=1, le=1000)]
Cursor = Annotated[str, StringConstraints(max_length=200)]


class Given(BaseModel):
    """What clients send: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(BaseModel):
    """What clients get."""

    model_config = ConfigDict(frozen=True)


class Page(Given):
    limit: Limit = 50
    cursor: Cursor | None = None


class FieldProblem(Shown):
    path: str
    message: str


class Problem(Shown):
    """RFC 9457."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    state: State | None = None


class Live(Shown):
    status: Literal["ok"] = "ok"


class Dependency(Shown):
    ok: bool
    detail: str


class Ready(Shown):
    """`degraded`: what is missing keeps only `POST /v1/actions` from working."""

    status: Literal["ok", "degraded"]
    dependencies: dict[str, Dependency]


# --- actions ------------------------------------------------------------------------------------------------------------


class Submission(Given):
    """An action without the proxy. `tool` is the service. An `idempotency_key` names one action for 24 hours."""

    tool: Service
    operation: Word
    params: dict[str, Any] = Field(default_factory=dict, description="At most 64 KiB as JSON.")
    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None


class Wait(Given):
    wait: Annotated[float, Field(ge=0, le=60, description="Seconds to wait for an approver.")] = 0


class ActionQuery(Page):
    agent: Text | None = None
    name: Text | None = None
    effect: Literal["allow", "deny", "pending", "error"] | None = None
    host: Annotated[str, StringConstraints(max_length=256)] | None = None
    source: Literal["proxy", "api"] | None = None
    approval_id: Text | None = None


class ActionShown(Shown):
    """`effect` is what was recorded; `decision` is what counts now: a pending action whose approval was granted is allowed, and
    one that carries an approval is begun by `start`, once. Path, query, resource, digest and reason are null once erased."""

    id: str
    at: datetime
    agent: str
    agent_id: str
    service: str
    operation: str
    name: str
    kind: str
    risk: str
    method: str
    scheme: str
    host: str
    port: int
    path: str | None
    query: str | None
    resource: dict[str, str] | None
    digest: str | None
    findings: list[dict[str, Any]] = Field(default_factory=list)
    source: str
    decision: Literal["allow", "deny", "pending", "error"]
    effect: str
    code: str | None
    reason: str | None
    rules: list[str]
    revision: str
    approval_id: str | None
    approval_state: State | None
    started: bool
    seq: int
    outcome: str | None
    status: int | None
    request_bytes: int | None
    response_bytes: int | None
    duration_ms: int | None


class Actions(Shown):
    data: list[ActionShown]
    next_cursor: str | None


# --- approvals ----------------------------------------------------------------------------------------------------------


class ApprovalQuery(Page):
    status: State | None = None


class Approve(Given):
    comment: Comment = ""


class Deny(Given):
    reason: Comment = ""


class ApprovalShown(Shown):
    id: str
    status: State
    agent: str
    agent_id: str
    action_id: str
    name: str
    kind: str
    risk: str
    method: str
    host: str
    reason: str
    rules: list[str]
    revision: str
    digest: str
    quorum: int
    approvers: list[str]
    requested_at: datetime
    expires_at: datetime
    grant_until: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    spent_by: str | None


class Vote(Shown):
    voter: str
    choice: str
    comment: str
    at: datetime


class ApprovalDetailShown(ApprovalShown):
    """`summary`: what the request would do, redacted; null when it cannot be opened any more."""

    summary: dict[str, Any] | None
    votes: list[Vote]


class Approvals(Shown):
    data: list[ApprovalShown]
    next_cursor: str | None


# --- agents and keys ----------------------------------------------------------------------------------------------------


class NewAgent(Given):
    name: AgentName
    hold_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


class NewToken(Given):
    expires_in: ExpiresIn | None = None


class AgentCredential(Shown):
    """The token is shown once."""

    id: str
    name: str
    token_id: str
    token: str
    proxy_url: str
    expires_at: datetime | None = None


class AgentShown(Shown):
    id: str
    name: str
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    hold_seconds: int | None
    tokens: list[str]


class Agents(Shown):
    data: list[AgentShown]
    next_cursor: str | None


class NewKey(Given):
    role: Literal["admin", "approver", "auditor", "viewer"]
    name: PersonName
    expires_in: ExpiresIn | None = None


class KeyShown(Shown):
    id: str
    role: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCreated(Shown):
    """The key is shown once."""

    id: str
    role: str
    name: str
    key: str
    expires_at: datetime | None


class Keys(Shown):
    data: list[KeyShown]
    next_cursor: str | None


class Done(Shown):
    id: str
    done: bool = True


# --- policy -------------------------------------------------------------------------------------------------------------


class PolicyShown(Shown):
    revision: str
    active: bool
    activated_at: datetime | None
    author: str
    message: str
    created_at: datetime
    document: str


class Policies(Shown):
    data: list[PolicyShown]
    next_cursor: str | None


class PolicyDocument(Given):
    document: Annotated[str, StringConstraints(max_length=1 << 19)]


class PolicyProblem(Shown):
    line: int
    path: str
    message: str


class PolicyChecked(Shown):
    valid: bool
    revision: str | None
    problems: list[PolicyProblem]


# --- audit --------------------------------------------------------------------------------------------------------------


class EntryQuery(Page):
    from_seq: Annotated[int, Field(ge=0, lt=1 << 53)] = 0
    event: Text | None = None
    agent: Text | None = None
    action_id: Text | None = None


class EntryShown(Shown):
    """`body` exactly as it was hashed, and `entry`, the same parsed (null if it is no JSON any more)."""

    seq: int
    event: str
    event_hash: str
    leaf_hash: str
    body: str
    entry: dict[str, Any] | None


class Entries(Shown):
    """A page with fewer entries than asked for, or none, is not the end while there is a cursor."""

    data: list[EntryShown]
    next_cursor: str | None


class HeadShown(Shown):
    origin: str
    size: int
    leaf_hash: str


class Bad(Shown):
    seq: int
    reason: str


class Verified(Shown):
    ok: bool
    entries: int
    head: HeadShown
    first_bad: Bad | None


class Nothing(Given):
    """No fields: send `{}`, or no body."""
