"""Several indexes as one, so that a user's catalog that comes or goes costs the reading of that one alone."""

from collections.abc import Sequence

from firewall.classify.catalog.index import stricter
from firewall.classify.known import Index, Match

PLACES = 4096
"""Remembered, each with those that know it."""


class Together:
    """Where several describe a request, the first names it and the strictest says its kind."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = tuple(indexes)
        self._at: dict[str, tuple[Index, ...]] = {}

    def knows(self, place: str) -> bool:
        return bool(self._of(place))

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        found: Match | None = None
        for index in self._of(place):
            match = index.look_up(place, method, segments, query, header_names)
            if match is not None:
                found = match if found is None else stricter(found, match.kind)
        return found

    def _of(self, place: str) -> tuple[Index, ...]:
        if not self._indexes:
            return ()
        found = self._at.get(place)
        if found is None:
            if len(self._at) >= PLACES:
                self._at.clear()
            found = self._at[place] = tuple(index for index in self._indexes if index.knows(place))
        return found
