"""Facts → the binary that `index` reads (`layout`). Slow on purpose where it buys a quick look-up: it runs once a machine."""

import re
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from zlib import crc32

from firewall.classify.catalog import layout
from firewall.classify.catalog.facts import Facts, Operation, Section
from firewall.classify.catalog.layout import GROUP, KINDS, PLACE, VERB_EDGE, Way
from firewall.classify.catalog.template import Step, Template, joined, parse_template
from firewall.classify.known import PSEUDO, operators_place
from firewall.globs import host_suffix, is_glob

NO_TEXTS = bytes(32)

_HOLES = re.compile(r"\{[*+]?\}")


@dataclass(slots=True)
class _Node:
    """While a tree grows. `ways`: token → kind and child; `groups`: method → operations."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    verbs: dict[str, "_Node"] = field(default_factory=dict)
    ways: dict[str, tuple[Way, "_Node"]] = field(default_factory=dict)
    groups: dict[str, list["_Made"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Made:
    """An operation as it is stored, and what it needs of a request: `?name`, `?name=value`, `#header`."""

    stored: tuple[int, int, int]
    needs: tuple[str, ...]
    order: tuple[int, int, str, str]


def build(catalogs: Iterable[tuple[Facts, str]], texts: bytes = NO_TEXTS) -> bytes:
    """Each catalog with its revision. `texts`: SHA-256 of what they were read from, stored in the head."""
    builder = _Builder()
    for facts, revision in catalogs:
        builder.add(facts, revision)
    return builder.finish(texts)


class _Builder:
    def __init__(self) -> None:
        self._edges: dict[int, int] = {}
        self._next = 1
        self._nodes, self._ways, self._groups = array("Q", [0]), array("I", [0]), array("I", [0])
        self._text, self._at = bytearray(), dict[str, int]()
        self._frozen: dict[object, int] = {}
        self._read: dict[tuple[str, Operation], tuple[tuple[Step, ...], _Made]] = {}
        self._services: list[str] = []
        self._methods: dict[str, int] = {}
        self._places: dict[bytes, list[tuple[str, int]]] = {}

    def add(self, facts: Facts, revision: str) -> None:
        self._read.clear()
        self._services.append(f"{facts.service}\t{facts.service}@{revision}")
        roots: dict[object, int] = {}
        by_host: dict[str, list[int]] = {}
        for number, section in enumerate(facts.sections):
            for host in section.hosts:
                by_host.setdefault(host, []).append(number)
        for host, numbers in by_host.items():
            if tuple(numbers) not in roots:
                roots[tuple(numbers)] = self._tree(facts.sections[number] for number in numbers)
            key = layout.suffix_key(host_suffix(host)) if is_glob(host) else layout.host_key(host)
            self._places.setdefault(key, []).append((host, roots[tuple(numbers)]))
        own = tuple(i for i, each in enumerate(facts.sections) if not all(host.endswith(PSEUDO) for host in each.hosts))
        if own:
            sections = [facts.sections[number] for number in own]
            moved = [_moved(section, base) for base in facts.selves for section in sections]
            root = self._tree(moved) if moved else roots[own] if own in roots else self._tree(sections)
            place = operators_place(facts.service)
            self._places.setdefault(layout.host_key(place), []).append((place, root))

    def _tree(self, sections: Iterable[Section]) -> int:
        top = _Node()
        for section in sections:
            for operation in section.operations:
                self._insert(top, section.base, operation)
        return self._freeze(top)

    def _insert(self, node: _Node, base: str, operation: Operation) -> None:
        if (base, operation) not in self._read:
            template = parse_template(joined(base, operation.template))
            self._read[base, operation] = template.steps, self._make(template, operation)
        steps, made = self._read[base, operation]
        for step in steps:
            node = _child(node, step)
        group = node.groups.setdefault(operation.method, [])
        if made not in group:
            group.append(made)

    def _make(self, template: Template, operation: Operation) -> _Made:
        needs = tuple(f"?{name}" if value is None else f"?{name}={value}" for name, value in template.query)
        needs += tuple(f"#{name}" for name in operation.headers)
        plain = all(_easy(step) for step in template.steps)
        holes = [(i, step.holes[0]) for i, step in enumerate(template.steps) if step.holes] if plain else []
        sorts = [":" if step.pieces[-1] else step.holes[0].width or " " for step in template.steps if step.holes] if plain else []
        named = "/".join(chr(layout.DIGITS + i) + sort + hole.name for (i, hole), sort in zip(holes, sorts, strict=True))
        if plain:
            plan = "/".join(step.pieces[-1] for step in template.steps)
        else:
            plan = "/".join(step.text if _whole(step) else layout.ODD + step.text for step in template.steps)
        spans = "\n".join(
            "".join(chr(layout.DIGITS + number) for number in (span.first, span.last, span.cut)) + span.name
            for span in template.spans
        )
        text = "\t".join((operation.operation, operation.template, operation.iam_action or "", plan, spans, named))
        flags = KINDS.index(operation.kind) | (layout.PLAIN if plain else 0) | len(self._services) - 1 << layout.FILE
        strict = KINDS.index(operation.kind)
        return _Made((*self._stored(text), flags), needs, (-len(needs), -strict, operation.operation, text))

    def _stored(self, text: str) -> tuple[int, int]:
        """Offset and length, in bytes; a text that was stored before is not stored again."""
        data = text.encode()
        if text not in self._at:
            self._at[text] = len(self._text)
            self._text += data
        return self._at[text], len(data)

    def _freeze(self, node: _Node) -> int:
        """The node's number. Nodes from which the same leads on are one."""
        edges = [(layout.literal_key(text), self._freeze(child)) for text, child in sorted(node.literals.items())]
        edges += [(layout.verb_key(verb), self._freeze(child) | VERB_EDGE) for verb, child in sorted(node.verbs.items())]
        edges += [(layout.method_key(method), self._group(method, made)) for method, made in sorted(node.groups.items())]
        ways = [(Way.VERB, 0, "")] if node.verbs else []
        for token, (kind, child) in node.ways.items():
            last = kind is Way.MANY and not (child.literals or child.verbs or child.ways)
            ways.append((Way.LAST if last else kind, self._freeze(child), token))
        ways.sort(key=lambda way: (way[0], -len(_HOLES.sub("", way[2])), way[2]))
        signature = (tuple(edges), tuple(ways))
        if signature not in self._frozen:
            self._frozen[signature] = number = self._number(edges)
            self._lead_on(number, ways)
        return self._frozen[signature]

    def _number(self, edges: list[tuple[bytes, int]]) -> int:
        """The next number under which none of these edges shares its key with another one."""
        while True:
            number = self._next
            self._next += 1
            keys = {crc32(text, number): value for text, value in edges}
            if len(keys) == len(edges) and self._edges.keys().isdisjoint(keys):
                self._edges.update(keys)
                return number
            self._nodes.append(0)

    def _lead_on(self, number: int, ways: list[tuple[Way, int, str]]) -> None:
        verbs = [way for way in ways if way[0] is Way.VERB]
        rest = [way for way in ways if way[0] is not Way.VERB]
        easy = not rest or rest[0][0] in (Way.ONE, Way.ANY)
        one = rest[0][1] << layout.ONE if rest and easy else 0
        if easy and not verbs and len(rest) < 2:
            self._nodes.append(one)
        else:
            left = (layout.REST_BEHIND_VERB if verbs else layout.REST) if len(rest) > 1 else 0
            self._nodes.append(one | len(self._ways) | (layout.EASY | left if easy else 0))
            self._ways.append(len(ways))
            for kind, child, token in ways:
                self._ways.extend((kind, number if kind is Way.VERB else child, *self._stored(token)))

    def _group(self, method: str, made: list[_Made]) -> int:
        """The method's number, how many operations, where their needs stand (a line each; length 0: none has any), and of
        each, the neediest first, where its text stands and its flags."""
        number = self._methods.setdefault(method, len(self._methods))
        ordered = sorted(made, key=lambda each: each.order)
        needs = "\n".join("\t".join(each.needs) for each in ordered) if any(each.needs for each in ordered) else ""
        group = (number, len(ordered), *self._stored(needs), *(part for each in ordered for part in each.stored))
        if group not in self._frozen:
            self._frozen[group] = len(self._groups) | GROUP
            self._groups.extend(group)
        return self._frozen[group]

    def finish(self, texts: bytes) -> bytes:
        places = array("I", [0])
        for names in (self._services, list(self._methods)):
            places.append(len(names))
            places.extend(part for text in names for part in self._stored(text))
        edges = list[tuple[bytes, int]]()
        for key, found in self._places.items():
            edges.append((key, len(places) | PLACE))
            places.append(len(found))
            for host, root in found:
                places.extend((root, *self._stored(host)))
        places[layout.TOP] = self._number(edges)
        self._lead_on(places[layout.TOP], [])
        parts: dict[str, array[int] | bytearray] = {
            "edges": _table(self._edges), "nodes": self._nodes, "ways": self._ways, "groups": self._groups, "places": places,
            "text": self._text,
        }  # fmt: skip
        return _packed(parts, texts)


def _moved(section: Section, base: str) -> Section:
    return Section(hosts=section.hosts, base=base, operations=section.operations)


def _whole(step: Step) -> bool:
    """A literal, or a whole `{name}`."""
    return not step.holes or (step.pieces == ("", "") and not step.holes[0].width)


def _easy(step: Step) -> bool:
    """A literal, a whole `{name}` or `{*name}`, or `{name}:verb`."""
    return not step.holes or _verb(step) is not None or (step.pieces == ("", "") and step.holes[0].width != "+")


def _verb(step: Step) -> str | None:
    """Of `{name}:verb`, where the last colon is the verb's."""
    behind = step.pieces[-1]
    one = len(step.holes) == 1 and not step.holes[0].width and not step.pieces[0]
    return behind[1:] if one and len(behind) > 1 and behind.rfind(":") == 0 else None


def _child(node: _Node, step: Step) -> _Node:
    if not step.holes:
        return node.literals.get(step.pieces[0]) or node.literals.setdefault(step.pieces[0], _Node())
    if (verb := _verb(step)) is not None:
        return node.verbs.get(verb) or node.verbs.setdefault(verb, _Node())
    width, whole = step.holes[0].width, step.pieces == ("", "")
    kinds = {"": Way.ONE, "*": Way.ANY, "+": Way.MANY} if whole else {"": Way.PART, "*": Way.PART, "+": Way.MANY_PART}
    kind = kinds[width]
    token = "".join(
        piece + hole for piece, hole in zip(step.pieces, [*(f"{{{hole.width}}}" for hole in step.holes), ""], strict=True)
    )
    return node.ways.setdefault(token, (kind, _Node()))[1]


def _table(edges: dict[int, int]) -> array[int]:
    """Open addressing, at most half full; an empty slot is 0. A value is never 0, so that no edge looks empty."""
    size = 8
    while size < 2 * len(edges):
        size *= 2
    table = array("Q", bytes(8 * size))
    for key, value in edges.items():
        slot = key & size - 1
        while table[slot]:
            slot = slot + 1 & size - 1
        table[slot] = key << 32 | value
    return table


def _packed(parts: dict[str, array[int] | bytearray], texts: bytes) -> bytes:
    body, directory = bytearray(), list[int]()
    start = layout.HEAD.size + -layout.HEAD.size % 8
    body += bytes(start - layout.HEAD.size)
    for name in layout.ARRAYS:
        data = _little(parts[name])
        directory += [layout.HEAD.size + len(body), len(data)]
        body += data + bytes(-len(data) % 8)
    whole = layout.HEAD.pack(layout.MAGIC, texts, 0, *directory) + bytes(body)
    return layout.HEAD.pack(layout.MAGIC, texts, crc32(memoryview(whole)[layout.CHECKED :]), *directory) + bytes(body)


def _little(part: array[int] | bytearray) -> bytes:
    if isinstance(part, bytearray) or sys.byteorder == "little":
        return bytes(part)
    part = array(part.typecode, part)
    part.byteswap()
    return part.tobytes()
