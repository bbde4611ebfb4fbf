"""Requests → the operations of catalogs, by the binary that `build` makes (docs/catalog-format.md, "Matching").

Everything is read from the bytes that were handed in, so that many workers can share one mapping; a worker's own are a few names
and the places of the hosts that it saw last.
"""

import sys
from collections.abc import Iterator
from urllib.parse import parse_qsl
from zlib import crc32

from firewall.action import Kind, stricter_kind
from firewall.classify.catalog.fit import Spans, fit, fit_plain, fits
from firewall.classify.catalog.head import Damaged, arrays_of
from firewall.classify.catalog.layout import (
    AT,
    EASY,
    FILE,
    GROUP,
    KIND,
    KINDS,
    ONE,
    PLACE,
    PLAIN,
    REST,
    REST_BEHIND_VERB,
    SERVICES,
    TOP,
    VALUE,
    VERB_EDGE,
    Way,
    host_key,
    method_key,
    suffix_key,
    verb_key,
)
from firewall.classify.known import Match, TooMuchWork
from firewall.globs import host_pattern, is_glob

STEPS = 1500
"""How often one look-up may turn back. No real path comes near: what does is made to be slow."""
FIELDS = 1000
"""Of a query."""
HOSTS = 1024
"""How many hosts' places are remembered."""
BEHIND = REST_BEHIND_VERB & ~REST
LOW = 0xFFFFFFFF

VERB, PART, WHOLE, ANY, MANY_PART, MANY, LAST = map(int, Way)


class BinaryIndex:
    """`data` is kept and must not change."""

    def __init__(self, data: bytes | memoryview) -> None:
        if sys.byteorder != "little":
            raise Damaged("this machine reads numbers from the other end")
        parts = arrays_of(data)
        self._edges = parts["edges"].cast("Q")
        self._mask = len(self._edges) - 1
        self._nodes = parts["nodes"].cast("Q")
        self._ways, self._groups, self._places = (parts[name].cast("I") for name in ("ways", "groups", "places"))
        self._text = parts["text"]
        if len(self._edges) & self._mask or not self._edges:
            raise Damaged("its table has no size of a table")
        self._services = [(service, catalog) for service, _, catalog in (text.partition("\t") for text in self._listed(SERVICES))]
        self._methods = {method: number for number, method in enumerate(self._listed(SERVICES + 1 + 2 * len(self._services)))}
        self._top = self._places[TOP]
        self._roots: dict[str, tuple[int, ...]] = {}

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(service for service, _ in self._services)

    def knows(self, place: str) -> bool:
        return bool(self._roots_of(place))

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        if method not in self._methods:
            return None
        found: Match | None = None
        roots = self._roots.get(place)
        for root in self._roots_of(place) if roots is None else roots:
            match = self._walk(root, method, segments, query, header_names)
            if match is not None:
                found = match if found is None else stricter(found, match.kind)
        return found

    def _walk(self, node: int, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]) -> Match | None:
        """Depth first, the preferred way first. `turns`: where to go on after a dead end: the node's ways (0: a node itself), how
        many segments were read there, which way is next (or that node), and up to where `{+name}` took segments the last time."""
        edges, mask, nodes = self._edges, self._mask, self._nodes
        end, length, read, steps = method_key(method), len(segments), 0, STEPS
        spans: Spans = ()
        turns: list[tuple[int, int, int, int, Spans]] = []
        while True:
            key = crc32(segments[read].encode() if read < length else end, node)
            slot = key & mask
            edge = edges[slot]
            while edge and edge >> 32 != key:
                slot = slot + 1 & mask
                edge = edges[slot]
            child = edge & LOW
            if read < length:
                if child >= VERB_EDGE:
                    child = 0
                one = nodes[node]
                ways = one & LOW
                if ways and (ways < EASY or ":" in segments[read]):
                    turns.append((ways & AT, read, 0, 0, spans))
                else:
                    if ways & REST:
                        turns.append((ways & AT, read, 2 if ways & BEHIND else 1, 0, spans))
                    if not child:
                        child = one >> ONE
                    elif one >> ONE:
                        turns.append((0, read, one >> ONE, 0, spans))
                if child:
                    node, read = child, read + 1
                    continue
            elif child >= VERB_EDGE:
                match = self._settle(child, method, segments, spans, query, header_names)
                if match is not None:
                    return match
                steps -= length >> 3
            node = 0
            while not node:
                if not turns:
                    return None
                steps -= 1
                ways, read, number, until, spans = turns.pop()
                if ways:
                    node, read, spans, cost = self._turn(ways, read, number, until, spans, segments, turns)
                    steps -= cost
                else:
                    node, read = number, read + 1
                if steps <= 0:
                    raise TooMuchWork("the path fits templates in too many ways")

    def _turn(
        self,
        ways: int,
        read: int,
        number: int,
        until: int,
        spans: Spans,
        segments: tuple[str, ...],
        turns: list[tuple[int, int, int, int, Spans]],
    ) -> tuple[int, int, Spans, int]:
        """The next of several ways: node (0: it does not lead on), segments read, spans, and what finding out cost."""
        count, segment, length = self._ways[ways], segments[read], len(segments)
        kind, child, token = self._way(ways, number)
        begun = number
        while kind == PART and not fits(token, segment):
            number += 1
            if number == count:
                return 0, read, spans, number - begun >> 2
            kind, child, token = self._way(ways, number)
        if not until and number + 1 < count:
            turns.append((ways, read, number + 1, 0, spans))
        if kind in (WHOLE, ANY, PART):
            return child, read + 1, spans, number - begun >> 2
        if kind == VERB:
            before, _, verb = segment.rpartition(":")
            return (self._edge(verb_key(verb), child, VERB_EDGE) if before else 0), read + 1, spans, 0
        if kind == LAST:
            return child, length, (*spans, (read, length)), 0
        until = begun = (until or read) + 1
        if kind == MANY_PART:
            behind = token[3:]
            while until <= length and not segments[until - 1].endswith(behind):
                until += 1
            if until > length:
                return 0, read, spans, until - begun >> 3
        if until < length:
            turns.append((ways, read, number, until, spans))
        return child, until, (*spans, (read, until)), until - begun >> 3

    def _way(self, ways: int, number: int) -> tuple[int, int, str]:
        """Its kind, node and token."""
        at = ways + 1 + 4 * number
        kind, child, start, size = self._ways[at : at + 4]
        return kind, child, str(self._text[start : start + size], "utf-8") if size else ""

    def _edge(self, text: bytes, node: int, sort: int) -> int:
        """The value of an edge of that sort, or 0."""
        edges, mask, key = self._edges, self._mask, crc32(text, node)
        slot = key & mask
        while edge := edges[slot]:
            if edge >> 32 == key:
                return edge & VALUE if edge & ~VALUE & LOW == sort else 0
            slot = slot + 1 & mask
        return 0

    def _settle(
        self, at: int, method: str, segments: tuple[str, ...], spans: Spans, query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        """The operation of a group (`_Builder._group`) that the request is, if it is any. `at`: an edge's value."""
        if at & ~VALUE != GROUP or self._groups[at & VALUE] != self._methods[method]:
            return None
        at &= VALUE
        number, raised = at + 4, -1
        if self._groups[at + 3]:
            number, raised = self._chosen(at, query, header_names)
            if not number:
                return None
        groups = self._groups  # three look-ups are quicker than a slice
        start, size, flags = groups[number], groups[number + 1], groups[number + 2]
        name, template, iam, plan, parts, holes = str(self._text[start : start + size], "utf-8").split("\t")
        parameters = fit_plain(plan, parts, holes, segments) if flags & PLAIN else fit(plan, parts, segments, spans)
        if parameters is None:
            return None
        service, catalog = self._services[flags >> FILE]
        return Match(
            service=service,
            operation=name or f"{method} {template}",
            kind=KINDS[max(flags & KIND, raised)],
            template=template,
            parameters=parameters,
            catalog=catalog,
            iam_action=iam or None,
            slashes=True,
        )

    def _chosen(self, at: int, query: str, header_names: frozenset[bytes]) -> tuple[int, int]:
        """Where in the group the operation stands of whose needs most are met (0: none), and the strictest kind of all that are met
        and that no other one that is met says more precisely."""
        groups = self._groups
        have = {f"#{name.decode('latin-1')}" for name in header_names}
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS) if query else ():
            have.add(f"?{name}")
            have.add(f"?{name}={value}")
        chosen, kind, met = 0, -1, list[frozenset[str]]()
        for i, line in enumerate(self._said(at + 2, groups).split("\n")):
            needs = frozenset(line.split("\t")) if line else frozenset[str]()
            if needs <= have and not any(needs < other for other in met):
                met.append(needs)
                chosen = chosen or at + 4 + 3 * i
                kind = max(kind, groups[at + 6 + 3 * i] & KIND)
        return chosen, kind

    def _roots_of(self, place: str) -> tuple[int, ...]:
        roots = self._roots.get(place)
        if roots is None:
            if len(self._roots) >= HOSTS:
                self._roots.clear()
            roots = self._roots[place] = tuple(self._find(place))
        return roots

    def _find(self, place: str) -> Iterator[int]:
        """Of the host itself, then of globs, those with more literal labels at their ends first."""
        yield from self._there(host_key(place), place)
        rest = place
        while True:
            yield from self._there(suffix_key(rest), place)
            if not rest:
                return
            rest = rest.partition(".")[2]

    def _there(self, key: bytes, place: str) -> Iterator[int]:
        at = self._edge(key, self._top, PLACE)
        for entry in range(at + 1, at + 1 + 3 * self._places[at], 3) if at else ():
            host = self._said(entry + 1, self._places)
            if host == place or (is_glob(host) and host_pattern((host,)).fullmatch(place)):
                yield self._places[entry]

    def _listed(self, at: int) -> list[str]:
        return [self._said(at + 1 + 2 * i, self._places) for i in range(self._places[at])]

    def _said(self, at: int, numbers: "memoryview[int]") -> str:
        start, size = numbers[at : at + 2]
        return str(self._text[start : start + size], "utf-8")


def stricter(match: Match, kind: Kind) -> Match:
    return match._replace(kind=stricter_kind(match.kind, kind))
