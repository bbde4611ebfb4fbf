"""Many requests in the body of one (OData 4.01, part 1, section 11.7; Google's batch; Microsoft Graph's and OData's JSON batch;
the Graph API's `batch` field; JSON-RPC 2.0): the strictest part decides what the whole does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from firewall.action import Kind, Risk, stricter_kind, stricter_risk
from firewall.classify.catalog.operation import meaning_of
from firewall.classify.catalog.verbs import kind_of
from firewall.classify.content import Part
from firewall.classify.content_json import read_json, refuse_lookalikes
from firewall.classify.content_multipart import read_multipart
from firewall.classify.content_type import Unreadable, read_content_type
from firewall.classify.generic import method_kind
from firewall.classify.known import Empty, Known
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.overrides import GRAPH_API, is_override
from firewall.classify.risk import risk_of
from firewall.errors import Malformed
from firewall.request import parse

PARTS: Final = 1000
"""Requests in one batch; with more it is unknown."""

_STRICT: Final = frozenset({"$batch", "batch"})
_ENDS: Final = _STRICT | {"batches", "composite"}
_ADDRESSES: Final = ("url", "relative_url", "relative_path", "path", "uri")
_LEVELS: Final = 3
_LINE = re.compile(rb"\s*([!-~]+) +([!-~]+)(?: +HTTP/[0-9.]+)?[ \t]*\r?(?:\n|\Z)")
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*)\r?(?:\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """One request of a batch. `target`: as it is written there. `headers`: names in lower case."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Sum(NamedTuple):
    """Of all parts, the strictest; READ and LOW say nothing."""

    kind: Kind = Kind.READ
    risk: Risk = Risk.LOW


NO_BATCH: Final = Sum()
UNREADABLE: Final = Sum(Kind.UNKNOWN, Risk.CRITICAL)


def is_batch(subject: Subject) -> bool:
    """Whether it may be one, by its head."""
    request = subject.request
    if request.method != "POST":
        return False
    if _last(request.segments) in _ENDS or subject.media_type.startswith("multipart/mixed"):
        return True
    return GRAPH_API.fullmatch(request.host) is not None


def sum_of(subject: Subject) -> Sum:
    """NO_BATCH where the request is none; UNREADABLE where one of its parts cannot be read. Raises nothing."""
    request, content = subject.request, subject.content
    if request.method != "POST":
        return NO_BATCH
    try:
        if GRAPH_API.fullmatch(request.host):
            return _strictest(subject, _of_graph(subject))
        if content.parts is not None and subject.media_type == "multipart/mixed":
            return _strictest(subject, _of_parts(content.parts))
        if isinstance(content.json, dict) and _last(request.segments) in _ENDS:
            return _strictest(subject, _of_json(content.json, strict=_last(request.segments) in _STRICT))
        if isinstance(content.json, dict | list):
            return Sum(_of_calls(content.json))
    except ValueError:  # Unreadable, UnicodeError
        return UNREADABLE
    return NO_BATCH


def _last(segments: tuple[str, ...]) -> str:
    last = segments[-1] or segments[-2:][0]
    return last.partition(";")[0].lower()


def _strictest(subject: Subject, inner: Iterable[Inner]) -> Sum:
    kind, risk = NO_BATCH
    for number, one in enumerate(inner):
        if number >= PARTS:
            return UNREADABLE
        judged = _judged(subject, one)
        kind, risk = stricter_kind(kind, judged.kind), stricter_risk(risk, judged.risk)
        if kind is Kind.UNKNOWN:
            return UNREADABLE
    return Sum(kind, risk)


def _judged(subject: Subject, inner: Inner) -> Sum:
    """By its method, its override and what our catalogs say of it; a batch is no way round them."""
    methods = [inner.method.upper()]
    methods += [value.decode("latin-1").strip().upper() for name, value in inner.headers if is_override(name)]
    kind, risk = Kind.READ, Risk.LOW
    outer = subject.request
    try:
        url = urlsplit(inner.target)
        if url.netloc and url.hostname != outer.host:
            return UNREADABLE
        path = url.path if url.path.startswith("/") else "/" + url.path
        targets = {path, outer.path.rpartition("/")[0] + path}  # relative to the server, or to what stands before `$batch`
        for method in methods:
            found = [_meant(subject, inner, method, f"{target}?{url.query}" if url.query else target) for target in targets]
            generic = Meaning(service="http", operation=method[:100], kind=method_kind(method))
            for meaning in [each for each in found if each is not None] or [generic]:
                kind = stricter_kind(kind, stricter_kind(meaning.kind, generic.kind))
                risk = stricter_risk(risk, risk_of(meaning, kind))
    except (ValueError, Malformed):
        return UNREADABLE
    return Sum(kind, risk)


def _meant(subject: Subject, inner: Inner, method: str, target: str) -> Meaning | None:
    """What our catalogs say of a part. Raises ValueError and Malformed."""
    outer = subject.request
    request = parse(
        method=method, scheme=outer.scheme, host=outer.host, port=outer.port, target=target.encode("ascii"), headers=inner.headers
    )
    names = frozenset(name for name, _ in inner.headers)
    return meaning_of(_ours(subject.known), request.host, method, request.segments, request.query, names)


def _ours(known: Known) -> Known:
    return known if isinstance(known.users, Empty) else replace(known, users=Empty())


def _of_graph(subject: Subject) -> Iterator[Inner]:
    """`batch` in the query, a form or JSON. Raises ValueError."""
    content = subject.content
    batches: list[Any] = [value for name, value in (*subject.query, *(content.form or ())) if name == "batch"]
    if isinstance(content.json, dict):
        refuse_lookalikes(content.json, ("batch",))
        batches += [content.json["batch"]] if "batch" in content.json else []
    for batch in batches:
        yield from _of_list(read_json(batch.encode()) if isinstance(batch, str) else batch, "relative_url")


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


def _of_json(value: Mapping[str, Any], *, strict: bool) -> Iterator[Inner]:
    """`requests`, as OData has it; else whatever list of methods with addresses stands a few levels deep (Asana's `data.actions`,
    Mailchimp's `operations`, Salesforce's `compositeRequest`)."""
    refuse_lookalikes(value, ("requests",))
    if strict and "requests" in value:
        yield from _of_list(value["requests"], "url")
        return
    level: list[Any] = [value]
    for _ in range(_LEVELS):
        level = [each for one in level if isinstance(one, dict) for each in one.values()]
        for several in level:
            for one in several if isinstance(several, list) else ():
                if isinstance(one, dict) and (url := next((name for name in _ADDRESSES if name in one), None)) and "method" in one:
                    yield from _of_list([one], url)


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
