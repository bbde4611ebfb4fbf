"""As what else a server may take a request: by another method that it names, or by a path that the server reads more loosely than
the vendor describes it (a slash at the end, `;a=b`, blanks, another case, a prefix that the operator's own proxy takes away).

The request keeps its name, for nobody described it as it stands; but it is no milder than what it may be taken for.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from firewall.action import Classified, stricter_kind, stricter_risk
from firewall.classify.known import Known, operators_place
from firewall.classify.overrides import LIMIT, is_override
from firewall.request import Request

PREFIX: Final = 4
"""Segments that an operator's proxy may take away."""
GENERIC: Final = "http"
"""The service of what nobody described, which no catalog may be called."""
LOOKS: Final = "looks like"
"""Among the details: the operation that made it stricter."""

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_LOOSE: Final = re.compile(r"[A-Z;%]|./\Z")


def taken_for(request: Request, named: Classified, known: Known) -> Iterator[Request]:
    """Nothing for nearly every request."""
    paths = list(_paths(request, known)) if named.service == GENERIC else []
    methods = [method for method in named.overrides[:LIMIT] if _METHOD.fullmatch(method)]
    yield from (_at(request, path) for path in paths)
    if not methods:
        return
    headers = tuple((name, value) for name, value in request.headers if not is_override(name))
    for method in methods:
        other = replace(request, method=method, headers=headers)
        yield other
        yield from (_at(other, path) for path in paths)


def looser(request: Request) -> Request | None:
    """As servers read its path that care least; None where it reads the same."""
    if _LOOSE.search(request.path) is None:
        return None
    segments = _plain(request.segments)
    return None if segments == request.segments else _at(request, segments)


def as_strict(named: Classified, other: Classified) -> Classified:
    """`named`, no milder than `other`."""
    kind, risk = stricter_kind(named.kind, other.kind), stricter_risk(named.risk, other.risk)
    if (kind, risk) == (named.kind, named.risk):
        return named
    said = {} if other.service == GENERIC else {LOOKS: f"{other.service}:{other.operation}"}
    return replace(named, kind=kind, risk=risk, details={**named.details, **said})


def _paths(request: Request, known: Known) -> Iterator[tuple[str, ...]]:
    segments = request.segments
    if _LOOSE.search(request.path) is not None:
        tidy = _tidy(segments)
        if tidy != segments:
            yield tidy
        segments = _plain(segments)
        if segments != tidy:
            yield segments
    if any(known.speaks(service, request.host) and known.shipped.knows(operators_place(service)) for service in known.speakers):
        for at in range(1, min(PREFIX, len(segments) - 1) + 1):
            yield segments[at:]


def _tidy(segments: tuple[str, ...]) -> tuple[str, ...]:
    tidy = tuple(segment.partition(";")[0].strip() for segment in segments)
    return tidy[:-1] if len(tidy) > 1 and not tidy[-1] else tidy


def _plain(segments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(segment.lower() for segment in _tidy(segments))


def _at(request: Request, segments: tuple[str, ...]) -> Request:
    return replace(request, segments=segments, path="/" + "/".join(segments), slashed=False)
