"""The shape of the policy document (CONTRACT: Policy), as pydantic models; `firewall.policy` reads a text into them.

Strict: no value is coerced, no key ignored, no list empty, for each of these would widen an allow or lose a deny.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from firewall.dialects import dialect, names
from firewall.globs import host_glob, host_suffix, is_glob, method_glob, path_glob, text_glob
from firewall.verdict import Terms

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MAX_SECONDS = 366 * 86_400
_ID = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"

Effect = Literal["allow", "deny", "require_approval"]


def _seconds(value: object) -> object:
    """`90`, `"90s"`, `"15m"`, `"24h"` or `"7d"`, in seconds."""
    if isinstance(value, str):
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
        if found is None:
            raise ValueError(f"{value!r}: write seconds, or a number and s, m, h or d, as in 24h")
        return int(found[1]) * _UNITS[found[2]]
    return value


def _number(value: object) -> object:
    """`true` equals 1 in Python."""
    if type(value) is not int:
        raise ValueError("must be 1")
    return value


def _line_of_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("write one line of text")
    return text


def range_text(text: str) -> str:
    """An address range in CIDR form, canonical. Raises ValueError."""
    network = ip_network(text)
    if network.prefixlen < (8 if network.version == 4 else 7):
        raise ValueError(f"{text}: too wide; name the networks that are yours")
    return str(network)


def _by_name(text: str) -> str:
    """A host glob that names somebody. Raises ValueError."""
    if is_glob(host_glob(text)) and not host_suffix(host_glob(text)):
        raise ValueError(f"{text}: too wide; name the hosts")
    return host_glob(text)


def _resource(name: str) -> str:
    if not name or name != name.strip() or not name.isprintable() or is_glob(name):
        raise ValueError(f"{name!r}: write the name of a resource; only its values are globs")
    return name


def _name_dialects(schema: dict[str, Any]) -> None:
    schema["propertyNames"] = {"enum": sorted(names())}


Seconds = Annotated[
    int,
    BeforeValidator(_seconds, json_schema_input_type=int | Annotated[str, Field(pattern="^[0-9]{1,9}[smhd]$")]),
    Field(ge=1, le=_MAX_SECONDS),
]
Line = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_line_of_text)]
TextGlobs = Annotated[tuple[Annotated[str, AfterValidator(text_glob)], ...], Field(min_length=1)]
HostGlobs = Annotated[tuple[Annotated[str, AfterValidator(host_glob)], ...], Field(min_length=1)]
ByName = Annotated[tuple[Annotated[str, AfterValidator(_by_name)], ...], Field(min_length=1)]
MethodGlobs = Annotated[tuple[Annotated[str, AfterValidator(method_glob)], ...], Field(min_length=1)]
PathGlobs = Annotated[tuple[Annotated[str, AfterValidator(path_glob)], ...], Field(min_length=1)]
Resources = Annotated[dict[Annotated[str, AfterValidator(_resource)], TextGlobs], Field(min_length=1, max_length=16)]
Dialects = Annotated[dict[Annotated[str, AfterValidator(dialect)], ByName], Field(min_length=1, json_schema_extra=_name_dialects)]
Kinds = Annotated[tuple[Literal["read", "write", "execute", "delete", "unknown", "*"], ...], Field(min_length=1)]
Risks = Annotated[tuple[Literal["low", "medium", "high", "critical", "*"], ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ApprovalTerms(_Part):
    """What a rule says of the approvals it asks for; what it leaves out, other matching rules or the defaults say."""

    expires_in: Seconds | None = Field(None, description="How long the question stays open. Default 24h.")
    grant_for: Seconds | None = Field(None, description="How long an approval with nobody waiting can be used. Default 1h.")
    quorum: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="How many people must approve. Default 1.")
    approvers: Annotated[tuple[Line, ...], Field(min_length=1)] | None = Field(
        None, description='Who may approve. Default ["role:approver"].'
    )

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.grant_for is not None and self.grant_for > (self.expires_in or Terms().expires_in):
            raise ValueError("grant_for is longer than expires_in")
        return self


class Rule(_Part):
    """One rule: it matches when every list it has matches. A list left out matches everything."""

    id: Annotated[str, Field(pattern=_ID, max_length=128)]
    effect: Effect
    agents: TextGlobs | None = None
    hosts: HostGlobs | None = Field(None, description="* within a label, ** across labels; never matches actions by API.")
    methods: MethodGlobs | None = None
    paths: PathGlobs | None = Field(None, description="* within a segment, ** across segments, on the decoded path.")
    services: TextGlobs | None = None
    operations: TextGlobs | None = None
    kinds: Kinds | None = None
    risks: Risks | None = None
    resources: Resources | None = Field(None, description="By name; one that the action does not have matches nothing.")
    reason: Line | None = Field(None, description="Shown to the agent and the approver.")
    approval: ApprovalTerms | None = None

    @model_validator(mode="after")
    def _approval_is_asked(self) -> Self:
        if self.approval is not None and self.effect != "require_approval":
            raise ValueError("`approval` belongs to rules whose effect is require_approval")
        return self


class DestinationRules(_Part):
    """What may be dialled, whatever the rules allow."""

    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(min_length=1)] | None = Field(
        None, description="Ports that may be dialled. Left out: 80 and 443."
    )
    allow_private: Annotated[tuple[Annotated[str, AfterValidator(range_text)], ...], Field(min_length=1)] | None = Field(
        None, description="Address ranges that are otherwise refused."
    )
    http2: HostGlobs | None = Field(None, description="Hosts to which agents are offered HTTP/2 before HTTP/1.1.")
    pass_through: ByName | None = Field(
        None, description="Hosts whose TLS is not opened: the CONNECT alone is judged, and what follows is not read."
    )


class Document(_Part):
    """A policy."""

    version: Annotated[Literal[1], BeforeValidator(_number)]
    default: Effect = "deny"
    rules: Annotated[tuple[Rule, ...], Field(max_length=20_000)] = ()
    dialects: Dialects | None = Field(None, description="Hosts that speak a protocol, or are a service of one's own.")
    destinations: DestinationRules = Field(default_factory=lambda: DestinationRules.model_validate({}))
