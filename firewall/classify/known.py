"""What this process knows of services: the catalogs, and where the operator says that a protocol is spoken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from firewall.action import Kind
from firewall.globs import host_pattern

PSEUDO = ".invalid"
"""Ends the names of places that are no hosts (RFC 6761, section 6.4). Only classifiers ask for them, never a request's host."""


def operators_place(service: str) -> str:
    """Where an index keeps the operations of `service` as they stand at hosts that the operator names for it."""
    return f"{service}.self{PSEUDO}"


class TooMuchWork(ValueError):
    """A path that is made to be slow to match. Whoever meets this knows nothing: the request is unknown."""


class Match(NamedTuple):  # not a dataclass: one is made for every request, and a frozen one takes a fifth of a look-up
    """An operation that a catalog describes. `operation`: the vendor's word, or `METHOD template` where it has none. `kind`: what
    it does, as the catalog was reviewed; the strictest where the request names several operations at once. `template`: its path, as
    the catalog spells it. `parameters`: the template's, decoded. `catalog`: `service@revision`. `slashes`: see `Meaning`."""

    service: str
    operation: str
    kind: Kind
    template: str
    parameters: Mapping[str, str]
    catalog: str
    iam_action: str | None = None
    slashes: bool = False


class Index(Protocol):
    """Catalogs, ready for look-ups. `place`: a request's host, `operators_place(service)`, or a pseudo-host that one classifier
    shares with its catalog (`s3.aws.invalid`)."""

    def knows(self, place: str) -> bool:
        """Whether some catalog describes this place."""
        ...

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        """The operation that this request is, or None. `segments`: the decoded path (`Request.segments`); `query`: raw;
        `header_names`: lower case. Bounded in time whatever is asked: raises TooMuchWork, and ValueError for too many fields of a
        query."""
        ...


class Empty:
    """No catalog at all."""

    def knows(self, place: str) -> bool:
        return False

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`shipped`: our catalogs. `users`: those that users added, which name things first but never lower a kind or risk.
    `speakers`: protocol (`git`, `mcp`, `graphql`, `pypi`, `npm`, …) → globs of hosts where the operator says it is spoken
    (the policy's `dialects`)."""

    shipped: Index = field(default_factory=Empty)
    users: Index = field(default_factory=Empty)
    speakers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def speaks(self, dialect: str, host: str) -> bool:
        """Whether the operator says that `host` speaks `dialect`."""
        globs = self.speakers.get(dialect)
        return bool(globs) and host_pattern(globs).fullmatch(host) is not None


NOBODY = Known()
