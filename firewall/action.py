"""An action: what one request means to do, in words that people and policies share (CONTRACT: Action)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from firewall.ids import ActionId, AgentId, ApprovalId


class Kind(StrEnum):
    """What an action does to the world, from mildest to strictest."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"
    DELETE = "delete"
    UNKNOWN = "unknown"


class Risk(StrEnum):
    """How bad a wrong action would be, from mildest to strictest."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Source(StrEnum):
    """How the action reached us."""

    PROXY = "proxy"
    API = "api"


KIND_ORDER: tuple[Kind, ...] = tuple(Kind)
RISK_ORDER: tuple[Risk, ...] = tuple(Risk)


def stricter_kind(a: Kind, b: Kind) -> Kind:
    return max(a, b, key=KIND_ORDER.index)


def stricter_risk(a: Risk, b: Risk) -> Risk:
    return max(a, b, key=RISK_ORDER.index)


@dataclass(slots=True, kw_only=True)  # as Action
class Classified:
    """What classification says of a request: the part of an action that is about meaning, not transport.

    `details`: what else an approver should read, name → value, in order. `slashes`: every encoded slash of the path stands in a
    parameter that may hold one. `overrides`: methods that the request may be taken for instead of its own
    (`firewall.classify.overrides`).
    """

    service: str
    operation: str
    kind: Kind
    risk: Risk
    resource: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    destinations: tuple[str, ...] = ()
    iam_action: str | None = None
    catalog: str | None = None
    slashes: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)  # not frozen: that costs 5 µs for so many fields, on every request. Nobody writes to one.
class Action:
    """One attempt of one agent.

    `path` is the raw path that is forwarded, without the query; `segments` is its decoding, the thing that policies judge.
    `digest` is `sha256:` and 64 hexadecimal digits (docs/digest.md), or empty while the body is not read.
    """

    id: ActionId
    agent: str
    agent_id: AgentId
    service: str
    operation: str
    kind: Kind
    risk: Risk
    method: str
    scheme: str
    host: str
    port: int
    path: str
    segments: tuple[str, ...]
    query: str = ""
    resource: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    findings: tuple[Mapping[str, Any], ...] = ()
    source: Source = Source.PROXY
    opaque: bool = False
    truncated: bool = False
    iam_action: str | None = None
    destinations: tuple[str, ...] = ()
    approval_id: ApprovalId | None = None
    catalog: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def canonical_path(self) -> str:
        """The decoded path, which policies' `paths` match. A slash inside a segment stays encoded. Empty where nobody reads what is
        asked for: a rule that names paths does not speak of that."""
        return "" if self.opaque else "/" + "/".join(segment.replace("/", "%2F") for segment in self.segments)

    def public(self) -> dict[str, Any]:
        """The action as the contract shows it to people and programs."""
        return {
            "id": self.id,
            "agent": self.agent,
            "service": self.service,
            "operation": self.operation,
            "name": self.name,
            "kind": self.kind.value,
            "risk": self.risk.value,
            "method": self.method,
            "scheme": self.scheme,
            "host": self.host,
            "port": self.port,
            "path": self.path,
            "query": self.query,
            "resource": dict(self.resource),
            "digest": self.digest,
            "findings": [dict(f) for f in self.findings],
            "source": self.source.value,
            "opaque": self.opaque,
            "truncated": self.truncated,
            "iam_action": self.iam_action,
            "destinations": list(self.destinations),
            "approval_id": self.approval_id,
            "catalog": self.catalog,
        }
