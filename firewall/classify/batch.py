"""Many requests in the body of one (OData 4.01, part 1, section 11.7; Google's batch; Microsoft Graph's and OData's JSON batch;
the Graph API's `batch` field; JSON-RPC 2.0): the strictest part decides what the whole does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from firewall.action import Kind, stricter_kind
from firewall.classify.catalog.verbs import kind_of
from firewall.classify.content import Part
from firewall.classify.content_json import read_json, refuse_lookalikes
from firewall.classify.content_multipart import read_multipart
from firewall.classify.content_type import Unreadable, read_content_type
from firewall.classify.generic import method_kind
from firewall.classify.meaning import Subject
from firewall.classify.overrides import GRAPH_API, is_override
from firewall.errors import Malformed
from firewall.request import parse

PARTS: Final = 1000
"""Requests in one batch; with more it is unknown."""

_ENDS: Final = frozenset({"$batch", "batch"})
_LINE = re.compile(rb"\s*([!-~]+) +([!-~]+)(?: +HTTP/[0-9.]+)?[ \t]*\r?(?:\n|\Z)")
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*)\r?(?:\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """One request of a batch. `target`: as it is written there. `headers`: names in lower case."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


def is_batch(subject: Subject) -> bool:
    """Whether it may be one, by its head."""
    request = subject.request
    if request.method != "POST":
        return False
    return _last(request.segments) in _ENDS or subject.media_type.startswith("multipart/mixed")


def batch_kind(subject: Subject) -> Kind:
    """READ where the request is no batch; UNKNOWN where one of its parts cannot be read. Raises nothing."""
    request, content = subject.request, subject.content
    if not request.body or request.method != "POST":
        return Kind.READ
    try:
        if content.parts is not None and subject.media_type == "multipart/mixed":
            return _strictest(subject, _of_parts(content.parts))
        if isinstance(content.json, dict) and _last(request.segments) in _ENDS:
            return _strictest(subject, _of_json(content.json))
        if isinstance(content.json, dict | list):
            return _of_calls(content.json)
        if content.form and GRAPH_API.fullmatch(request.host):
            batches = [value for name, value in content.form if name == "batch"]
            return _strictest(subject, _of_list(read_json(batches[0].encode()), "relative_url")) if batches else Kind.READ
    except (Unreadable, UnicodeError):
        return Kind.UNKNOWN
    return Kind.READ


def _last(segments: tuple[str, ...]) -> str:
    last = segments[-1] or segments[-2:][0]
    return last.partition(";")[0].lower()


def _strictest(subject: Subject, inner: Iterable[Inner]) -> Kind:
    kind = Kind.READ
    for number, one in enumerate(inner):
        if number >= PARTS:
            return Kind.UNKNOWN
        kind = stricter_kind(kind, _kind(subject, one))
        if kind is Kind.UNKNOWN:
            return kind
    return kind


def _kind(subject: Subject, inner: Inner) -> Kind:
    """By its method, its override and what our catalogs say of it; a batch is no way round them."""
    kind = method_kind(inner.method.upper())
    for name, value in inner.headers:
        if is_override(name):
            kind = stricter_kind(kind, method_kind(value.decode("latin-1").strip().upper()))
    outer = subject.request
    try:
        url = urlsplit(inner.target)
        if url.netloc and url.hostname != outer.host:
            return Kind.UNKNOWN
        path = url.path if url.path.startswith("/") else "/" + url.path
        targets = {path, outer.path.rpartition("/")[0] + path}  # relative to the server, or to what stands before `$batch`
        for target in targets:
            raw = f"{target}?{url.query}" if url.query else target
            request = parse(
                method=inner.method.upper(),
                scheme=outer.scheme,
                host=outer.host,
                port=outer.port,
                target=raw.encode("ascii"),
                headers=inner.headers,
            )
            names = frozenset(name for name, _ in inner.headers)
            match = subject.known.shipped.look_up(request.host, request.method, request.segments, request.query, names)
            if match is not None:
                kind = stricter_kind(kind, match.kind)
    except (ValueError, Malformed):
        return Kind.UNKNOWN
    return kind


def _of_parts(parts: tuple[Part, ...], *, nested: bool = False) -> Iterator[Inner]:
    """Those that are requests; a change set is a multipart within, and nothing is nested deeper. Raises Unreadable."""
    for part in parts:
        if part.media_type == "application/http":
            yield _of_http(part.data)
        elif part.media_type == "multipart/mixed" and not nested:
            yield from _of_parts(read_multipart(part.data, read_content_type(part.field("content-type"))), nested=True)
        elif part.media_type.startswith("multipart/"):
            raise Unreadable("a batch in a batch in a batch")


def _of_http(data: bytes) -> Inner:
    line = _LINE.match(data)
    if line is None:
        raise Unreadable("a part of a batch that is no request")
    headers, at = list[tuple[bytes, bytes]](), line.end()
    while (match := _FIELD.match(data, at)) is not None and len(headers) < 100:
        headers.append((match[1].strip().lower(), match[2].strip()))
        at = match.end()
    return Inner(method=line[1].decode("latin-1"), target=line[2].decode("latin-1"), headers=tuple(headers))


def _of_json(value: Mapping[str, Any]) -> Iterator[Inner]:
    refuse_lookalikes(value, ("requests",))
    return _of_list(value["requests"], "url") if "requests" in value else iter(())


def _of_calls(value: dict[str, Any] | list[Any]) -> Kind:
    """JSON-RPC says what it does by the verbs of its methods (`user.delete`)."""
    calls, kind = value if isinstance(value, list) else [value], Kind.READ
    if not any(isinstance(call, dict) and "jsonrpc" in call for call in calls[:PARTS]):
        return kind
    if len(calls) > PARTS:
        return Kind.UNKNOWN
    for call in calls:
        if isinstance(call, dict) and isinstance(call.get("method"), str):
            kind = stricter_kind(kind, kind_of("GET", "", call["method"][:200]))
    return kind


def _of_list(requests: Any, url: str) -> Iterator[Inner]:
    if not isinstance(requests, list):
        raise Unreadable("a batch that is no list")
    for request in requests:
        if not isinstance(request, dict):
            raise Unreadable("a part of a batch that is no object")
        refuse_lookalikes(request, ("method", url, "headers"))
        method, target, headers = request.get("method", "GET" if url != "url" else None), request.get(url), request.get("headers")
        if not isinstance(method, str) or not isinstance(target, str):
            raise Unreadable("a part of a batch without a method or an address")
        named = headers.items() if isinstance(headers, dict) else ()
        fields = tuple((name.lower().encode(), value.encode()) for name, value in named if isinstance(value, str))
        yield Inner(method=method, target=target, headers=fields)
