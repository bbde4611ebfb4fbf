"""One path template of a catalog, taken apart (docs/catalog-format.md, "Templates")."""

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_TEMPLATE = 1000
MAX_SEGMENTS = 64
MAX_HOLES = 32
"""Characters of a template, its segments, and the parameters in it."""

_HOLE = re.compile(r"\{([*+]?)([^{}=*+][^{}=]*)(?:=([^{}]+))?\}")
DOTS = ("", ".", "..")
"""What is no value of a parameter and no literal segment: servers drop or resolve them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A place where a value stands. `name` is empty for a `*` or `**` within `{name=…}`. `width`: `` one segment without an encoded
    slash, `*` one segment that may hold one, `+` one or more segments."""

    name: str
    width: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one segment (with a `+` hole: one or more) has to be: literal pieces with holes between them, so there is one piece more
    than there are holes. A segment without a hole is one piece."""

    pieces: tuple[str, ...]
    holes: tuple[Hole, ...] = ()

    @property
    def text(self) -> str:
        """The step as a segment of a template, holes written `{name}`, `{*name}`, `{+name}`."""
        holes = [f"{{{hole.width}{hole.name}}}" for hole in self.holes]
        return "".join(piece + hole for piece, hole in zip(self.pieces, [*holes, ""], strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`{name=…}` as steps: the value is what stands in steps `first` to `last` (inclusive), but for `cut` characters at the end:
    the literal behind the braces (a verb)."""

    name: str
    first: int
    last: int
    cut: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`query`: the constraints, name and value; None for any value."""

    steps: tuple[Step, ...]
    spans: tuple[Span, ...] = ()
    query: tuple[tuple[str, str | None], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        named = [hole.name for step in self.steps for hole in step.holes if hole.name]
        return (*named, *(span.name for span in self.spans))


def parse_template(text: str) -> Template:
    """Raises ValueError for what is no template: what nobody can read must not be matched by guessing."""
    if len(text) > MAX_TEMPLATE:
        raise ValueError(f"longer than {MAX_TEMPLATE} characters")
    if not text.isprintable():
        raise ValueError("characters that do not print")
    path, mark, query = text.partition("?")
    if not path.startswith("/"):
        raise ValueError("a template begins with /")
    steps: list[Step] = []
    spans: list[Span] = []
    raws = _split(path[1:])
    for i, raw in enumerate(raws):
        _segment(raw, steps, spans, last=i == len(raws) - 1)
    found = Template(steps=tuple(steps), spans=tuple(spans), query=_constraints(query) if mark else ())
    if len(steps) > MAX_SEGMENTS or path.count("{") > MAX_HOLES:
        raise ValueError(f"more than {MAX_SEGMENTS} segments or {MAX_HOLES} parameters")
    names = found.names
    if len(set(names)) < len(names):
        raise ValueError("two parameters of one name")
    return found


def joined(base: str, template: str) -> str:
    """A template below a base path: `/api/v3` and `/user` are `/api/v3/user`."""
    return base.rstrip("/") + template


def _split(path: str) -> list[str]:
    """At the slashes that do not stand in braces."""
    if "=" not in path:  # no {name=a/*}
        return path.split("/")
    parts, depth, start = list[str](), 0, 0
    for i, character in enumerate(path):
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        elif character == "/" and depth == 0:
            parts.append(path[start:i])
            start = i + 1
    return [*parts, path[start:]]


def _segment(raw: str, steps: list[Step], spans: list[Span], *, last: bool) -> None:
    found = _HOLE.match(raw) if "=" in raw else None
    if found is not None and found[3] is not None:
        if found[1]:
            raise ValueError(f"{raw!r}: {{name=…}} has no + or *")
        return _pattern(found[2], found[3], raw[found.end() :], steps, spans)
    steps.append(_step(raw, last))
    return None


@lru_cache(maxsize=1 << 14)  # the same few segments stand in most templates
def _step(raw: str, last: bool) -> Step:
    pieces, holes, at = list[str](), list[Hole](), 0
    for found in _HOLE.finditer(raw):
        if found[3] is not None:
            raise ValueError(f"{raw!r}: {{name=…}} stands at the beginning of a segment")
        pieces.append(raw[at : found.start()])
        holes.append(Hole(name=_name(found[2]), width=found[1]))
        at = found.end()
    pieces.append(raw[at:])
    if any("{" in piece or "}" in piece for piece in pieces):
        raise ValueError(f"{raw!r}: a brace that is no part of a parameter")
    if not all(pieces[1:-1]):
        raise ValueError(f"{raw!r}: nothing between two parameters says where one ends")
    if any(hole.width == "+" for hole in holes) and (len(holes) > 1 or pieces[0]):
        raise ValueError(f"{raw!r}: a parameter of several segments begins its segment and is the only one in it")
    if not holes and raw in DOTS and not (last and raw == ""):
        raise ValueError("an empty segment or a dot segment")
    return Step(pieces=tuple(pieces), holes=tuple(holes))


def _pattern(name: str, pattern: str, verb: str, steps: list[Step], spans: list[Span]) -> None:
    """`{name=projects/*/things/**}:verb` (google.api.http, "Path template syntax")."""
    if "{" in verb or "}" in verb:
        raise ValueError("only a literal stands behind {name=…} in its segment")
    first, parts = len(steps), pattern.split("/")
    for i, part in enumerate(parts):
        behind = verb if i == len(parts) - 1 else ""
        if part in {"*", "**"}:
            steps.append(Step(pieces=("", behind), holes=(Hole(name="", width="+" if part == "**" else ""),)))
        elif part in DOTS or "*" in part:
            raise ValueError(f"{pattern!r}: its segments are literals, * or **")
        else:
            steps.append(Step(pieces=(part + behind,)))
    spans.append(Span(name=_name(name), first=first, last=len(steps) - 1, cut=len(verb)))


def _name(text: str) -> str:
    if "/" in text or "?" in text:
        raise ValueError(f"{text!r} is no name of a parameter")
    return text


def _constraints(query: str) -> tuple[tuple[str, str | None], ...]:
    found = list[tuple[str, str | None]]()
    for field in query.split("&"):
        name, equals, value = field.partition("=")
        if not name:
            raise ValueError("a query constraint without a name")
        found.append((name, value if equals else None))
    if len({name for name, _ in found}) < len(found):
        raise ValueError("two query constraints of one name")
    return tuple(found)
