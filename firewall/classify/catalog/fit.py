"""A path and one template, compared step by step: what every parameter's value is, or that they do not fit.

The index finds operations by hashes; this is the proof. It also holds the rules on values: none is empty, a dot segment or (but for
`{*name}` and `{+name}`) holds a slash that was encoded.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from firewall.classify.catalog.layout import DIGITS, ODD
from firewall.classify.catalog.template import DOTS

Spans = tuple[tuple[int, int], ...]
"""Which segments each `{+name}` took, in order: the first, and the one behind the last."""

_HOLE = re.compile(r"\{([*+]?)([^{}]*)\}")


def fit_plain(plan: str, spans: str, holes: str, segments: Sequence[str]) -> dict[str, str] | None:
    """Literals, `{name}`, `{*name}`, `{name}:verb` alone. `plan`: what is literal of each step, joined by slashes; `holes`: of each
    a character for its step, one for its sort (blank, `*`, `:`), and its name, joined by slashes; `spans`: as for `fit`."""
    left, values = list(segments), dict[str, str]()
    for hole in holes.split("/") if holes else ():
        place, sort = ord(hole[0]) - DIGITS, hole[1]
        if place >= len(left):
            return None
        value = left[place]
        if sort == "*":
            left[place] = ""
            if any(part in DOTS for part in value.split("/")):
                return None
        else:
            if sort == ":":
                value, _, verb = value.rpartition(":")
                left[place] = ":" + verb
            else:
                left[place] = ""
            if "/" in value or value in DOTS:
                return None
        name = hole[2:]
        if name:
            values[name] = value
    if "/".join(left) != plan:  # a slash too many is a segment too many
        return None
    if spans:
        for span in spans.split("\n"):
            value = "/".join(segments[ord(span[0]) - DIGITS : ord(span[1]) - DIGITS + 1])
            cut = ord(span[2]) - DIGITS
            values[span[3:]] = value[:-cut] if cut else value
    return values


def fit(plan: str, named: str, segments: Sequence[str], spans: Spans) -> dict[str, str] | None:
    """Any plan: `Step.text` of every step, joined by slashes, `ODD` before what is neither a literal nor `{name}`. `named`: its
    spans, a line each: first, last and cut (`template.Span`), a character each, and the name."""
    values: dict[str, str] = {}
    at, wide, starts = 0, 0, list[int]()
    for token in plan.split("/"):
        starts.append(at)
        mark = token[:1]
        if mark == ODD and token[1:3] == "{+":
            start, end = spans[wide] if wide < len(spans) else (-1, -1)
            if start != at or not _fit_many(token[1:], segments[start:end], values):
                return None
            at, wide = end, wide + 1
            continue
        if at == len(segments):
            return None
        segment = segments[at]
        at += 1
        if mark == "{":
            if segment in DOTS or "/" in segment:
                return None
            if len(token) > 2:
                values[token[1:-1]] = segment
        elif token != segment if mark != ODD else not _fit_one(token[1:], segment, values):
            return None
    if at != len(segments) or wide != len(spans):
        return None
    if named:
        starts.append(at)
        for span in named.split("\n"):
            first, last, cut = ord(span[0]) - DIGITS, ord(span[1]) - DIGITS, ord(span[2]) - DIGITS
            value = "/".join(segments[starts[first] : starts[last + 1]])
            values[span[3:]] = value[:-cut] if cut else value
    return values


def fits(token: str, segment: str) -> bool:
    """A segment with pieces and holes in it, with or without names."""
    pieces = _taken_apart(token)[0]
    return segment.startswith(pieces[0]) and segment.endswith(pieces[-1]) and _fit_one(token, segment, {})


def _fit_one(token: str, segment: str, values: dict[str, str]) -> bool:
    pieces, widths, names = _taken_apart(token)
    found = _between(pieces, segment)
    if found is None:
        return False
    for width, name, value in zip(widths, names, found, strict=True):
        if value in DOTS or ("/" in value and (not width or any(part in DOTS for part in value.split("/")))):
            return False
        if name:
            values[name] = value
    return True


def _fit_many(token: str, segments: Sequence[str], values: dict[str, str]) -> bool:
    """The value may end in a slash, but is more than that."""
    name, _, behind = token[2:].partition("}")
    parts = "/".join(segments).removesuffix(behind).split("/")
    if not segments or not segments[-1].endswith(behind) or (behind and segments[-1] == behind):
        return False
    if any(part in DOTS for part in parts[:-1]) or parts[-1] in DOTS[1:] or parts == [""]:
        return False
    if name:
        values[name] = "/".join(parts)
    return True


def _between(pieces: Sequence[str], text: str) -> list[str] | None:
    """What stands between pieces, the first at the beginning and the last at the end; as little as will do, from the left."""
    if not text.startswith(pieces[0]):
        return None
    values, at, end = list[str](), len(pieces[0]), len(text) - len(pieces[-1])
    for piece in pieces[1:-1]:
        found = text.find(piece, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(piece)
    if at > end or not text.endswith(pieces[-1]):
        return None
    return [*values, text[at:end]]


@lru_cache(maxsize=1024)
def _taken_apart(token: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Pieces, widths and names."""
    parts = _HOLE.split(token)
    return tuple(parts[::3]), tuple(parts[1::3]), tuple(parts[2::3])
