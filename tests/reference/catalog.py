"""The slow, obvious reading of docs/catalog-format.md, "Matching": every operation, every way in which its template fits, then the
preferred one. The index must agree with it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from firewall.action import KIND_ORDER, Kind
from firewall.classify.catalog.facts import Facts
from tests.reference.matcher import glob

Rank = tuple[tuple[object, ...], ...]
NO_VALUES = {"", ".", ".."}


@dataclass(frozen=True)
class Step:
    """One segment of a template: literal text and holes `(width, name)`, in turn."""

    parts: tuple[str | tuple[str, str], ...]
    span: tuple[str, int] | None = None
    """The `{name=…}` that it belongs to, and how long the verb behind that is where this is the last of its steps."""

    @property
    def literal(self) -> str | None:
        return "".join(str(part) for part in self.parts) if all(isinstance(part, str) for part in self.parts) else None

    @property
    def widths(self) -> list[str]:
        return [part[0] for part in self.parts if not isinstance(part, str)]

    def rank(self) -> tuple[object, ...]:
        if self.literal is not None:
            return (0,)
        text = "".join(part if isinstance(part, str) else f"{{{part[0]}}}" for part in self.parts)
        letters = sum(len(part) for part in self.parts if isinstance(part, str))
        if re.fullmatch(r"\{\}:[^:{}]+", text):
            return (1,)
        if letters and "+" not in self.widths:
            return (2, -letters, text)
        if letters:
            return (5, -letters, text)
        return ({"": 3, "*": 4, "+": 6}[self.widths[0]],)

    def values(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Of the holes, by name, where these segments fit."""
        if self.literal is not None:
            return {} if segments[0] == self.literal else None
        expression, names = "", list[tuple[str, str]]()
        for part in self.parts:
            if isinstance(part, str):
                expression += re.escape(part)
            else:
                names.append(part)
                expression += "(.+?)"
        found = re.fullmatch(expression, "/".join(segments), re.DOTALL)
        if found is None or (self.widths != ["+"] and len(segments) != 1):
            return None
        for (width, _), value in zip(names, found.groups(), strict=True):
            if width == "" and "/" in value:
                return None
            parts = value.split("/")
            if width == "+" and len(self.parts) == 1 and len(parts) > 1 and parts[-1] == "":
                parts.pop()
            if NO_VALUES & set(parts):
                return None
        return {name: value for (_, name), value in zip(names, found.groups(), strict=True)}


def steps(path: str) -> list[Step]:
    found: list[Step] = []
    for raw in re.split(r"/(?![^{]*\})", path)[1:]:
        spanned = re.fullmatch(r"\{([^=]+)=([^}]+)\}(.*)", raw)
        if spanned:
            name, pattern, verb = spanned.groups()
            parts = pattern.split("/")
            for i, part in enumerate(parts):
                last = i == len(parts) - 1
                behind = (verb,) if last and verb else ()
                hole = ({"*": "", "**": "+"}[part], f"={name}") if "*" in part else part
                found.append(Step((hole, *behind), (name, len(verb) if last else 0)))
        else:
            pieces = [piece for piece in re.split(r"(\{[^}]+\})", raw) if piece]
            found.append(
                Step(
                    tuple(
                        (piece[1], piece[2:-1]) if piece[:2] in {"{+", "{*"} else ("", piece[1:-1]) if piece[0] == "{" else piece
                        for piece in pieces
                    )
                )
            )
    return found


def ways(rest: Sequence[Step], segments: Sequence[str]) -> Iterator[tuple[Rank, dict[str, str]]]:
    """Every way in which steps fit segments: what each segment was taken by, and the values."""
    if not rest:
        if not segments:
            yield (), {}
        return
    step = rest[0]
    for count in range(1, len(segments) + 1) if "+" in step.widths else (1,):
        taken = segments[:count]
        if len(taken) < count:
            return
        values = step.values(taken)
        if values is None:
            continue
        values = {name: value for name, value in values.items() if name[:1] != "="}
        if step.span is not None:
            name, cut = step.span
            text = "/".join(taken)
            values = {name: text[: len(text) - cut]}
        for rank, others in ways(rest[1:], segments[count:]):
            joined = dict(others)
            for name, value in values.items():
                joined[name] = f"{value}/{others[name]}" if name in others else value
            yield (step.rank(), *[(7,)] * (count - 1), *rank), joined


def look_up(
    facts: Facts, host: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
) -> tuple[str, Kind, dict[str, str]] | None:
    """The operation's name, kind and parameters. Only one catalog, and hosts of which at most one glob fits."""
    have = {f"#{name.decode()}" for name in header_names}
    for name, value in parse_qsl(query, keep_blank_values=True):
        have |= {f"?{name}", f"?{name}={value}"}
    found = []
    for section in facts.sections:
        if not any(glob(each, host, ".:") for each in section.hosts):
            continue
        for operation in section.operations:
            path, mark, query_needs = operation.template.partition("?")
            wants = {f"?{field}" for field in query_needs.split("&")} if mark else set()
            wants |= {f"#{name}" for name in operation.headers}
            if operation.method != method or not wants <= have:
                continue
            base = "" if section.base == "/" else section.base
            found += [(rank, wants, operation, values) for rank, values in ways(steps(base + path), segments)]
    if not found:
        return None
    best = min(rank for rank, _, _, _ in found)
    there = [each for each in found if each[0] == best]
    there.sort(key=lambda each: (-len(each[1]), -KIND_ORDER.index(each[2].kind), each[2].operation, each[2].template))
    _, _, operation, values = there[0]
    precise = [each for each in there if not any(each[1] < other[1] for other in there)]
    kind = max((each[2].kind for each in precise), key=KIND_ORDER.index)
    return operation.operation or f"{method} {operation.template}", kind, values
