"""What this process knows of services: the catalogs, and where the operator says that a protocol is spoken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firewall.action import Kind
from firewall.globs import host_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An operation that a catalog describes. `template`: its path, as the catalog spells it. `parameters`: the template's, decoded.
    `catalog`: `service@revision`. `kind`: what the operation does, as the catalog was reviewed. `slashes`: see `Meaning`."""

    service: str
    operation: str
    kind: Kind
    template: str
    parameters: Mapping[str, str]
    catalog: str
    iam_action: str | None = None
    slashes: bool = False


class Index(Protocol):
    """Catalogs, ready for look-ups."""

    def knows(self, host: str) -> bool:
        """Whether some catalog describes this host."""
        ...

    def look_up(
        self, host: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        """The operation that this request is, or None. `segments`: the decoded path (`Request.segments`); `query`: raw;
        `header_names`: lower case. Bounded in time whatever is asked."""
        ...


class Empty:
    """No catalog at all."""

    def knows(self, host: str) -> bool:
        return False

    def look_up(
        self, host: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
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
