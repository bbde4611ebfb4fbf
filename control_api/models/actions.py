"""Actions: submitted, listed, shown."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from control_api.models.base import Given, Page, Service, Shown, Text, Word
from firewall.approval import State


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
    one that carries an approval is begun by `start`, once. `title` names it in one line (`github:issues/create on octo/hello`),
    `doing` says it in words (`create an issue on octo/hello`). Path, query, resource, digest and reason are null once erased."""

    id: str
    title: str
    doing: str
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
