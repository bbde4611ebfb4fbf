"""What OPA is asked about one action (CONTRACT: Policy, input). Every key is always present: in Rego, `not f(missing)` makes a
whole rule undefined, and a deny rule that is undefined does not fire.

The models describe the shape, for the published JSON Schema; `question` builds it without them, for it runs on every request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from firewall.action import Action

SCHEMA_ID = "urn:aaf:schema:policy-input"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class InputAction(_Part):
    """The action as people see it, with the fields that only policies need: `agent_id`, `canonical_path` and `methods`."""

    id: str
    agent: str
    agent_id: str
    service: str
    operation: str
    name: str = Field(description="service:operation")
    kind: Literal["read", "write", "execute", "delete", "unknown"]
    risk: Literal["low", "medium", "high", "critical"]
    method: str
    methods: list[str] = Field(
        description="The method, then those that the request may be taken for (X-HTTP-Method-Override, _method)."
    )
    scheme: str
    host: str = Field(description="Lower-case A-labels, or an address without brackets; empty for actions submitted by API.")
    port: int
    path: str = Field(description="The raw path that is forwarded, without the query.")
    canonical_path: str = Field(description="The decoded path, which rules match.")
    query: str
    resource: dict[str, str]
    digest: str
    findings: list[dict[str, Any]]
    source: Literal["proxy", "api"]
    opaque: bool
    truncated: bool
    iam_action: str | None
    destinations: list[str]
    approval_id: str | None
    catalog: str | None


class InputAgent(_Part):
    id: str
    name: str


class InputContext(_Part):
    time: str = Field(description="RFC 3339, UTC.")
    source_ip: str
    counts: dict[str, int]


class PolicyInput(_Part):
    """The input of `data.firewall.decision`."""

    action: InputAction
    agent: InputAgent
    context: InputContext
    findings: list[dict[str, Any]]


def question(action: Action, *, now: datetime, source_ip: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """The input for one action. `now` is aware; `source_ip` is the agent's address, or empty; `counts`: name → count."""
    asked = action.public()
    asked["agent_id"] = action.agent_id
    asked["canonical_path"] = action.canonical_path
    asked["methods"] = [action.method, *action.overrides]
    return {
        "action": asked,
        "agent": {"id": action.agent_id, "name": action.agent},
        "context": {
            "time": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "source_ip": source_ip,
            "counts": dict(counts),
        },
        "findings": asked["findings"],
    }


def schema() -> dict[str, Any]:
    """The JSON Schema that is published as `/v1/schemas/policy-input.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **PolicyInput.model_json_schema(),
    }
