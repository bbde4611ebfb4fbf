"""The reviewed risks of single operations (risks.tsv): a line an entry, fields separated by one TAB.

    name        risk        reason
    github:repos/delete     critical        the repository, its issues and its releases are gone

In a name `*` is any text. Entries only raise: of all that match, and of what the kind says, the strictest counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from firewall.action import RISK_ORDER, Risk

KEPT: Final = 4096
"""Names whose risk is remembered; agents ask for the same few again and again."""
LONG: Final = 128
"""Characters; a longer name is not remembered, for a name may be of an agent's own making."""

_ORDER: Final = {risk: place for place, risk in enumerate(RISK_ORDER)}


class BadReview(ValueError):
    """an entry that cannot be read, with its line"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    name: str
    risk: Risk
    reason: str

    def matches(self, name: str) -> bool:
        first, *others = self.name.split("*")
        if not others:
            return name == first
        if not name.startswith(first):
            return False
        at = len(first)
        for part in others[:-1]:
            at = name.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return len(name) - at >= len(others[-1]) and name.endswith(others[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Globs:
    """The entries of one service that hold a `*`. `heads`, `tails`: what stands before the first and behind the last.
    Most names begin or end like none of them, which two calls tell."""

    entries: tuple[Entry, ...]
    heads: tuple[str, ...]
    tails: tuple[str, ...]


class Review:
    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries: Final = entries
        self._exact: Final = {entry.name: entry.risk for entry in entries if "*" not in entry.name}
        self._globs: Final = _by_service(entries)

        self._kept: Final = lru_cache(maxsize=KEPT)(self._find)

    def of(self, name: str) -> Risk | None:
        """At least this bad; None where nothing was said. `name`: `service:operation`."""
        return self._kept(name) if len(name) <= LONG else self._find(name)

    def reason(self, name: str, risk: Risk) -> str | None:
        """Why `name` was reviewed to be of just this risk. Looks through all entries."""
        found = (entry for entry in self.entries if entry.risk is risk and entry.matches(name))
        return next((entry.reason for entry in found), None)

    def _find(self, name: str) -> Risk | None:
        found = self._exact.get(name)
        globs = self._globs.get(name.partition(":")[0])
        if globs is not None and name.startswith(globs.heads) and name.endswith(globs.tails):
            for entry in globs.entries:
                if (found is None or _ORDER[entry.risk] > _ORDER[found]) and entry.matches(name):
                    found = entry.risk
        return found


def _by_service(entries: tuple[Entry, ...]) -> Mapping[str, _Globs]:
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        if "*" in entry.name:
            grouped.setdefault(entry.name.partition(":")[0], []).append(entry)
    return {
        service: _Globs(
            entries=tuple(several),
            heads=tuple({entry.name.partition("*")[0] for entry in several}),
            tails=tuple({entry.name.rpartition("*")[2] for entry in several}),
        )
        for service, several in grouped.items()
    }


def read_review(text: str) -> Review:
    """Raises BadReview. A `#` begins a remark, at the beginning of a line."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(fields):
            raise BadReview(f"line {number}: name, risk and reason, separated by one TAB")
        name, risk, reason = fields
        service, colon, operation = name.partition(":")
        if not (service and colon and operation) or "*" in service:
            raise BadReview(f"line {number}: {name!r} is not service:operation")
        if risk not in _ORDER:
            raise BadReview(f"line {number}: {risk!r} is no risk")
        if name in entries:
            raise BadReview(f"line {number}: {name} comes twice")
        entries[name] = Entry(name=name, risk=Risk(risk), reason=reason)
    return Review(tuple(entries.values()))


SHIPPED: Final = read_review(files("firewall.classify").joinpath("risks.tsv").read_text(encoding="utf-8"))
"""Read with the code, of which it is a part."""
