"""Requests as data, and what they are called (tests/vectors/*.json).

A vector: `name`; `request`: `METHOD https://host/target`; `headers`; `body` (text), `hex`, `json`, or `pkt` (pkt-lines: text, or
null for a flush) with `tail`; `gzip`; `truncated`; `speakers`: protocol → host globs; `catalogued`: true where a catalog describes
it. `is`: the action's name, null where the dialect says nothing; `kind`, `risk`, `resource`, `details`, `wants_body` where given.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from firewall.action import Classified, Kind
from firewall.classify import classify, wants_body
from firewall.classify.generic import Generic
from firewall.classify.known import Empty, Known, Match
from firewall.classify.meaning import Classifier
from firewall.request import Request, parse

FOLDER = Path(__file__).parents[2] / "vectors"


class Described(Empty):
    """A catalog that describes everything."""

    def knows(self, place: str) -> bool:
        return True

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        return Match(service="s", operation="o", kind=Kind.WRITE, template="/", parameters={}, catalog="s@1")


@dataclass(frozen=True, kw_only=True)
class Vector:
    given: Mapping[str, Any]

    def __str__(self) -> str:
        return str(self.given["name"])

    @property
    def request(self) -> Request:
        method, url = self.given["request"].split(" ", 1)
        at = urlsplit(url)
        parsed = parse(
            method=method, scheme=at.scheme, host=at.hostname or "", port=at.port or 443,
            target=url.split(at.netloc, 1)[1].encode(),
            headers=[(name.encode(), value.encode("latin-1")) for name, value in self.given.get("headers", {}).items()],
        )  # fmt: skip
        return replace(parsed, body=self.body, truncated=self.given.get("truncated", False))

    @property
    def body(self) -> bytes | None:
        given = self.given
        if "hex" in given:
            data = bytes.fromhex(given["hex"])
        elif "pkt" in given:
            data = b"".join(pkt(line) for line in given["pkt"]) + given.get("tail", "").encode("latin-1")
        elif "json" in given:
            data = json.dumps(given["json"]).encode()
        elif "body" in given:
            data = given["body"].encode()
        else:
            return None
        return gzip.compress(data) if given.get("gzip") else data

    @property
    def known(self) -> Known:
        speakers = {dialect: tuple(globs) for dialect, globs in self.given.get("speakers", {}).items()}
        return Known(speakers=speakers, shipped=Described() if self.given.get("catalogued") else Empty())


def pkt(line: str | None) -> bytes:
    if line is None:
        return b"0000"
    data = line.encode()
    return f"{len(data) + 4:04x}".encode() + data


def load(file: str, only: str = "") -> list[Vector]:
    """Those whose name begins with `only`."""
    return [Vector(given=each) for each in json.loads((FOLDER / file).read_text()) if each["name"].startswith(only)]


def escaped(request: Request, place: int) -> Request:
    """The same request, with one letter of its path written as an escape: a server reads it the same way."""
    letters = [
        at for at, character in enumerate(request.path) if character.isalnum() and "%" not in request.path[max(at - 2, 0) : at]
    ]
    if not letters:
        return request
    at = letters[place % len(letters)]
    target = f"{request.path[:at]}%{ord(request.path[at]):02X}{request.path[at + 1 :]}" + (
        f"?{request.query}" if request.query else ""
    )
    again = parse(
        method=request.method, scheme=request.scheme, host=request.host, port=request.port, target=target.encode(),
        headers=[(name.swapcase(), value) for name, value in request.headers],
    )  # fmt: skip
    return replace(again, body=request.body, truncated=request.truncated)


def check(vector: Vector, namers: Sequence[Classifier]) -> Classified:
    """Raises AssertionError where the request is called something else, or is milder or stricter."""
    given, request, known = vector.given, vector.request, vector.known
    found = classify(request, known, (*namers, Generic()))
    shown = f"{found.service}:{found.operation}"
    assert shown == (given["is"] or f"http:{request.method}")
    for field in ("kind", "risk", "resource", "details"):
        if field in given:
            assert getattr(found, field) == given[field], field
    if "slashes" in given:
        assert found.slashes is given["slashes"]
    if "wants_body" in given:
        head = replace(request, body=None)
        assert wants_body(head, known, tuple(namers)) is given["wants_body"]
    return found
