"""One request, and what it has to be called."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from firewall.action import Classified
from firewall.classify import classify
from firewall.classify.known import Known
from firewall.request import parse

_WIDTH = re.compile(r"\{[*+]")
"""In a name made of the path, how much a parameter may hold is our own mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`names`: `service:operation`; more than one where operations are identical on the wire. `neighbour`: it is no operation
    of the vendor's, though close to one."""

    method: str
    url: str
    names: frozenset[str]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = b""
    neighbour: bool = False


@dataclass(slots=True, kw_only=True)
class Score:
    """`twins`: of the right ones, those with a twin on the wire. `wrong`: the request, what it was called, what it had
    to be called."""

    right: int = 0
    total: int = 0
    twins: int = 0
    near_right: int = 0
    near: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def percent(self) -> str:
        """Rounded down: 100.00 only if all are right."""
        return f"{(10000 * self.right // self.total) / 100:.2f}" if self.total else "-"


def named(sample: Sample, known: Known) -> Classified:
    parts = urlsplit(sample.url)
    request = parse(
        method=sample.method,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or 443,
        target=(parts.path + ("?" + parts.query if parts.query else "")).encode(),
        headers=((b"host", (parts.hostname or "").encode()), *sample.headers),
        body=sample.body,
    )
    return classify(request, known)


def scored(samples: Iterable[Sample], known: Known) -> Score:
    score = Score()
    for sample in samples:
        meaning = named(sample, known)
        name = f"{meaning.service}:{meaning.operation}"
        right = _WIDTH.sub("{", name) in sample.names
        if sample.neighbour:
            score.near += 1
            score.near_right += right
        else:
            score.total += 1
            score.right += right
            score.twins += right and len(sample.names) > 1
        if not right:
            score.wrong.append(f"{sample.method} {sample.url}: {name}, not {' or '.join(sorted(sample.names))}")
    return score
