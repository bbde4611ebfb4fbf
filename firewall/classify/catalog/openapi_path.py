"""Keys of a document's `paths` → templates of a catalog (docs/catalog-format.md).

OpenAPI knows `{name}` alone; what frameworks and vendors write besides is read here: RFC 6570 expansions (`{+path}`, `{?page}`),
catch-alls (`{*rest}`, `{rest...}`, `{rest:.*}`), Google's `{name=projects/*}`, `:id`, a query or a fragment behind the path.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from firewall.classify.catalog.template import MAX_HOLES

MAX_KEY = 4000

_HOLE = re.compile(r"\{([^{}]*)\}")
_ODD = re.compile(r"[^\w.$-]+")
_PLAIN_VALUE = re.compile(r"[\w.~-]+", re.ASCII)
_GOOGLE = re.compile(r"\^(?:[\w.-]+|\[\^/\]\+|\.\*)(?:/(?:[\w.-]+|\[\^/\]\+|\.\*))+\$")
_ENCODED = re.compile(r"url[- ]?encoded|%2f", re.IGNORECASE)
_SEVERAL = ("x-multi-segment", "x-ms-skip-url-encoding", "allowReserved")
"""GitHub's word, Azure's (the value goes into the path as it is), and what some write by analogy with a query's parameter."""


class Unreadable(ValueError):
    """A path that no request can be matched against; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`path`: template, without constraints. `query`: constraints that stand behind `?`. `fragment`: `name=value` pairs behind `#`,
    which are never sent: they may repeat what the query says."""

    path: str
    query: tuple[str, ...] = ()
    fragment: tuple[str, ...] = ()


@dataclass(slots=True)
class _Names:
    """Each name once in a template."""

    taken: set[str] = field(default_factory=set)

    def take(self, name: str) -> str:
        name = _ODD.sub("_", name).strip("_") or "value"
        free, count = name, 1
        while free in self.taken:
            count += 1
            if count > MAX_HOLES:
                raise Unreadable(f"more than {MAX_HOLES} parameters of one name")
            free = f"{name}_{count}"
        self.taken.add(free)
        return free


def read_key(key: str, parameters: Mapping[str, Mapping[str, Any]], taken: Iterable[str] = ()) -> Key:
    """`parameters`: the path's, by name. `taken`: names of parameters that stand before the path. Raises Unreadable."""
    if len(key) > MAX_KEY:
        raise Unreadable(f"longer than {MAX_KEY} characters")
    if not key.isprintable():
        raise Unreadable("characters that do not print")
    bare, hashed, fragment = key.partition("#") if not _inside_braces(key, "#") else (key, "", "")
    bare, asked, query = bare.partition("?") if not _inside_braces(bare, "?") else (bare, "", "")
    bare = re.sub(r"\{[?&#][^{}]*\}", "", bare)  # RFC 6570, 3.2.8: a query that may be left out
    bare = re.sub(r"\{/([^{}]*)\}", r"/{\1}", bare)  # 3.2.6: a segment
    names = _Names(set(taken))
    parts = [_segment(part, parameters, names) for part in _split(bare.strip().removeprefix("/"))]
    if any(part in {"", ".", ".."} for part in parts[:-1]) or parts[-1] in {".", ".."}:
        raise Unreadable("an empty segment or a dot segment")
    return Key(
        path="/" + "/".join(parts),
        query=tuple(sorted(set(_constraints(query)))) if asked else (),
        fragment=tuple(part for part in fragment.split("&") if "=" in part) if hashed else (),
    )


def constraint(name: str, value: str | None) -> str:
    """A query field as templates write it; a value that would need escapes is left out, so that any is taken."""
    return name if value is None or not _PLAIN_VALUE.fullmatch(value) else f"{name}={value}"


def _constraints(query: str) -> list[str]:
    found = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if name and _PLAIN_VALUE.fullmatch(name):
            found.append(constraint(name, value if equals else None))
    return found


def _inside_braces(text: str, mark: str) -> bool:
    at = text.find(mark)
    return at >= 0 and text.count("{", 0, at) > text.count("}", 0, at)


def _split(path: str) -> list[str]:
    """At the slashes that do not stand in braces."""
    parts, depth, start = list[str](), 0, 0
    for i, character in enumerate(path):
        if character in "{}":
            depth += 1 if character == "{" else -1
        elif character == "/" and depth <= 0:
            parts.append(path[start:i])
            start = i + 1
    return [*parts, path[start:]]


def _segment(raw: str, parameters: Mapping[str, Mapping[str, Any]], names: _Names) -> str:
    if raw.startswith(":") and raw[1:] in parameters:
        raw = f"{{{raw[1:]}}}"
    pieces, holes, at = list[str](), list[tuple[str, str]](), 0
    for found in _HOLE.finditer(raw):
        literal, (before, width, name) = _literal(raw[at : found.start()]), _hole(found[1], parameters)
        at = found.end()
        if holes and not literal + before:  # nothing says where one value ends: one value
            holes[-1] = ("+" if "+" in (width, holes[-1][0]) else width or holes[-1][0], f"{holes[-1][1]}_{name}")
            continue
        pieces.append(literal + before)
        holes.append((width, name))
    pieces.append(_literal(raw[at:]))
    if any(width == "+" or "=" in name for width, name in holes) and (len(holes) > 1 or pieces[0]):
        holes = [("*" if width == "+" else width, name.partition("=")[0]) for width, name in holes]
    text = pieces[0]
    for (width, name), piece in zip(holes, pieces[1:], strict=True):
        word, equals, pattern = name.partition("=")
        text += f"{{{width}{names.take(word)}{equals}{pattern}}}{piece}"
    return text


def _literal(text: str) -> str:
    plain = unquote(text, errors="strict") if "%" in text else text
    if "{" in plain or "}" in plain:
        raise Unreadable("a brace that is no part of a parameter")
    if "/" in plain or "?" in plain or not plain.isprintable():
        raise Unreadable("an escape that no literal segment can hold")
    return plain


def _hole(raw: str, parameters: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    """Literal text before it, width, name (with `=pattern` where it has one)."""
    declared = parameters.get(raw)
    if declared is not None:
        return ("", *_declared(raw, declared))
    name, equals, pattern = raw.partition("=")
    if equals and name and re.fullmatch(r"[\w.*/-]+", pattern):
        return ("", "", f"{_ODD.sub('_', name)}={pattern}")
    name, colon, pattern = raw.partition(":")
    several = raw.startswith(("+", "*")) or name.endswith(("*", "+", "...")) or (bool(colon) and pattern in {".*", ".+", "path"})
    before = "." if raw.startswith(".") and not raw.startswith("..") else ""
    bare = name.strip("+*.?; ")
    width, known = _declared(bare, parameters.get(bare, {}))
    return (before, "+" if several else width, known)


def _declared(name: str, parameter: Mapping[str, Any]) -> tuple[str, str]:
    clean = _ODD.sub("_", name)
    if any(parameter.get(word) is True for word in _SEVERAL):
        return "+", clean
    schema = parameter.get("schema")
    pattern = (schema if isinstance(schema, dict) else parameter).get("pattern")
    if isinstance(pattern, str) and len(pattern) < 500 and _GOOGLE.fullmatch(pattern):
        return "", clean + "=" + pattern[1:-1].replace("[^/]+", "*").replace(".*", "**")
    said = parameter.get("description")
    if parameter.get("x-encoded-slashes") is True or (isinstance(said, str) and _ENCODED.search(said[:2000])):
        return "*", clean
    return "", clean
