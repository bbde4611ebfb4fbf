"""MCP over streamable HTTP (Model Context Protocol, revisions 2025-03-26 to 2026-07-28, "Transports").

`mcp:tools/call:NAME` is what runs a tool; the other operations are the protocol's methods. What a server says of its tools
(`readOnlyHint` and the like) is not trusted. A message is a POST, so at least a write, unless the operator names the host
(`dialects: {mcp: [...]}`): an agent can call anything MCP.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from firewall.action import Kind, stricter_kind
from firewall.classify.content import MISSING
from firewall.classify.content_json import refuse_lookalikes
from firewall.classify.content_type import Unreadable
from firewall.classify.described import described
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.members import only
from firewall.classify.naming import cut, listed, name_of, shown, together

BATCH: Final = 100
"""Messages in one batch (2025-03-26 alone had them)."""

NOTHING: Final = "-"
"""Stands among the resources of a batch for a message that has none of this name: a rule that allows a tool does not allow what
comes along with it."""

KINDS: Final[Mapping[str, Kind]] = {
    "initialize": Kind.READ,
    "ping": Kind.READ,
    "server/discover": Kind.READ,
    "tools/list": Kind.READ,
    "tools/call": Kind.EXECUTE,
    "resources/list": Kind.READ,
    "resources/templates/list": Kind.READ,
    "resources/read": Kind.READ,
    "resources/subscribe": Kind.WRITE,
    "resources/unsubscribe": Kind.WRITE,
    "subscriptions/listen": Kind.READ,
    "prompts/list": Kind.READ,
    "prompts/get": Kind.READ,
    "completion/complete": Kind.READ,
    "logging/setLevel": Kind.WRITE,
    "tasks/get": Kind.READ,
    "tasks/list": Kind.READ,
    "tasks/result": Kind.READ,
    "tasks/update": Kind.WRITE,
    "tasks/cancel": Kind.WRITE,
    "notifications/initialized": Kind.READ,
    "notifications/cancelled": Kind.READ,
    "notifications/progress": Kind.READ,
    "notifications/roots/list_changed": Kind.READ,
}
"""Reviewed; another notification is a write, another method unknown."""

_HEADERS: Final = frozenset({b"mcp-session-id", b"mcp-protocol-version", b"mcp-method", b"mcp-name"})
_NAMES: Final = ("jsonrpc", "id", "method", "params", "result", "error")
_PARAMS: Final = ("name", "arguments", "uri", "ref", "task", "taskId", "inputResponses")
_SUBJECTS: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ENCODED = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    operation: str
    kind: Kind
    resource: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


class Mcp:
    def wants_body(self, head: Subject) -> bool:
        return head.request.method == "POST" and (_spoken(head) or _hinted(head)) and not described(head)

    def __call__(self, subject: Subject) -> Meaning | None:
        method = subject.request.method
        if method == "POST":
            return self._post(subject)
        if method in ("GET", "DELETE") and _spoken(subject):
            return _session(subject)
        return None

    def _post(self, subject: Subject) -> Meaning | None:
        spoken = _spoken(subject)
        if not (spoken or _hinted(subject)) or described(subject):
            return None
        content = subject.content
        if content.problem:
            return _unreadable(content.problem)
        if content.json is MISSING or not (_is_rpc(content.json) or (spoken and _is_call(content.json))):
            return None
        try:
            return _meaning(subject, content.json)
        except Unreadable as error:
            return _unreadable(str(error))


def _spoken(subject: Subject) -> bool:
    """Whether the operator says so, or a field of the head that nothing else has."""
    for name, _ in subject.request.headers:
        if name[:4].lower() == b"mcp-" and name.lower() in _HEADERS:
            return True
    return subject.known.speaks("mcp", subject.request.host)


def _hinted(subject: Subject) -> bool:
    """Whether it looks so; then the body must say it too."""
    segments = subject.request.segments
    if "mcp" in segments or "mcp" in subject.request.host.split(".") or segments[-1] in ("messages", "sse"):
        return True
    accept = (subject.field(b"accept") or "").lower()
    return "text/event-stream" in accept and "application/json" in accept


def _is_rpc(value: Any) -> bool:
    """JSON-RPC 2.0 (its section 4), by the member that says so, in whatever case."""
    messages = value if isinstance(value, list) else [value]
    return any(isinstance(one, dict) and any(name.casefold() == "jsonrpc" for name in one) for one in messages)


def _is_call(value: Any) -> bool:
    messages = value if isinstance(value, list) else [value]
    return any(isinstance(one, dict) and any(name.casefold() == "method" for name in one) for one in messages)


def _session(subject: Subject) -> Meaning | None:
    """GET listens to what the server sends, DELETE ends the session (revisions up to 2025-11-25)."""
    request = subject.request
    listens = "text/event-stream" in (subject.field(b"accept") or "").lower()
    if described(subject) or (request.method == "GET" and not listens):
        return None
    if request.method == "DELETE":
        if subject.field(b"mcp-session-id") is None:
            return None
        return Meaning(service="mcp", operation="DELETE session", kind=Kind.DELETE, resource={"server": request.host})
    return Meaning(service="mcp", operation="GET stream", kind=Kind.READ, resource={"server": request.host})


def _unreadable(problem: str) -> Meaning:
    return Meaning(service="mcp", operation="unreadable", kind=Kind.UNKNOWN, details={"problem": cut(problem, 300)})


def _meaning(subject: Subject, value: Any) -> Meaning:
    """Raises Unreadable for what a server might read in another way."""
    messages = value if isinstance(value, list) else [value]
    if not 1 <= len(messages) <= BATCH:
        raise Unreadable(f"a batch of {len(messages)} messages")
    read = [_message(message) for message in messages]
    for message in messages:
        _agree(subject, message)
    kind = Kind.READ
    resource, details = dict[str, str](), dict[str, str]()
    for name in {name for one in read for name in one.resource}:
        resource[name] = listed(one.resource.get(name, NOTHING) for one in read)
    for number, one in enumerate(read, 1):
        kind = stricter_kind(kind, one.kind)
        details |= one.details if len(read) == 1 else {f"{number}. {name}": text for name, text in one.details.items()}
    if isinstance(value, list):
        details = {"messages": str(len(read))} | details
    return Meaning(
        service="mcp",
        operation=together(one.operation for one in read),
        kind=kind,
        lowers=subject.known.speaks("mcp", subject.request.host) and only(subject, _NAMES),
        resource=resource | {"server": subject.request.host},
        details=details,
    )


def _message(message: Any) -> _Message:
    """A request, a notification, or an answer to the server's own request (sampling, elicitation)."""
    if not isinstance(message, dict):
        raise Unreadable("a message that is no object")
    refuse_lookalikes(message, _NAMES)
    if message.get("jsonrpc") != "2.0":
        raise Unreadable("a message that is not JSON-RPC 2.0")
    answers = "result" in message or "error" in message
    if "method" not in message:
        if not answers:
            raise Unreadable("a message without a method")
        return _Message(
            operation="response", kind=Kind.WRITE, details={"response": shown(message.get("result", message.get("error")))}
        )
    if answers:
        raise Unreadable("a message that is a request and an answer")
    method, params = name_of(message["method"]), message.get("params", {})
    if not isinstance(params, dict):
        raise Unreadable("a message with parameters that have no names")
    refuse_lookalikes(params, _PARAMS)
    kind = KINDS.get(method, Kind.WRITE if method.startswith("notifications/") else Kind.UNKNOWN)
    return _described(method, kind, params)


def _described(method: str, kind: Kind, params: Mapping[str, Any]) -> _Message:
    details = {name: shown(params[name]) for name in ("arguments", "inputResponses", "ref", "level", "taskId") if params.get(name)}
    if method not in _SUBJECTS:
        if method == "initialize":
            details = {"client": shown(params.get("clientInfo", {}), 200), "version": shown(params.get("protocolVersion", ""), 40)}
        return _Message(operation=method, kind=kind, details=details)
    subject = params.get(_SUBJECTS[method])
    if method == "resources/read":
        if not isinstance(subject, str) or not subject:
            raise Unreadable("a resource without an address")
        return _Message(operation=method, kind=kind, resource={"uri": _address(subject)}, details=details)
    name = name_of(subject)
    if method == "prompts/get":
        return _Message(operation=f"{method}:{name}", kind=kind, resource={"prompt": name}, details=details)
    return _Message(operation=f"{method}:{name}", kind=kind, resource={"tool": name}, details={"arguments": "{}"} | details)


def _address(uri: str) -> str:
    if len(uri) > 300 or not uri.isprintable():
        raise Unreadable("an address of a resource that is too long or does not print")
    return uri


def _agree(subject: Subject, message: Mapping[str, Any]) -> None:
    """What 2026-07-28 mirrors into the head must say the same: a server, or something before it, may go by either."""
    method, name = subject.field(b"mcp-method"), subject.field(b"mcp-name")
    if method is not None and method != message.get("method"):
        raise Unreadable("Mcp-Method says another method")
    if name is None:
        return
    encoded = _ENCODED.fullmatch(name)
    if encoded is not None:
        try:
            name = base64.b64decode(encoded[1], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Unreadable("Mcp-Name cannot be read") from None
    params = message.get("params", {})
    key = _SUBJECTS.get(message.get("method", ""))
    if key is not None and params.get(key) != name:
        raise Unreadable("Mcp-Name says another name")
