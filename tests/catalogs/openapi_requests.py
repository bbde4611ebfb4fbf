"""OpenAPI and Swagger documents → one request for each operation, and neighbours that are none.

Written from the specifications anew, for documents that are well-formed; nothing here is shared with `firewall.classify.catalog`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yaml

from tests.catalogs.sample import Sample

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
OTHER_METHODS = ("PATCH", "DELETE", "PUT", "POST", "GET")
HOLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a vendor's documents have to be read. `host`, `base`: in place of the document's. `wide`: parameters that hold slashes
    as they are; `only_under`: beginnings of the paths where they do. `encoded`: parameters that hold encoded slashes. `counts`:
    False for what is served at the same host but not asked for here, so that no neighbour is taken from it.
    `named_by_path`: operations are called as their paths are, and are asked by GET as well."""

    host: str | None = None
    base: str | None = None
    wide: frozenset[str] = frozenset()
    only_under: tuple[str, ...] = ("/",)
    encoded: frozenset[str] = frozenset()
    counts: bool = True
    named_by_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`shape`: the path with its parameters as `{}`. `needs`: what tells it from others on one path: query, then header names."""

    method: str
    host: str
    shape: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[str, ...]
    name: str

    @property
    def needs(self) -> tuple[Any, ...]:
        return tuple(sorted(self.query)), tuple(sorted(self.headers))


@dataclass(slots=True)
class Calls:
    """Every operation of one service, of however many documents."""

    service: str
    found: list[Call] = field(default_factory=list)
    around: list[Call] = field(default_factory=list)

    def read(self, path: Path, reading: Reading) -> None:
        text = path.read_text()
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=yaml.CSafeLoader)
        (self.found if reading.counts else self.around).extend(_calls(document, reading))

    def samples(self, every: int = 1) -> Iterator[Sample]:
        """`every`: neighbours of each so manieth operation only."""
        wire: dict[tuple[Any, ...], set[str]] = {}
        for call in self.found:
            wire.setdefault((call.method, call.host, call.shape, call.needs), set()).add(f"{self.service}:{call.name}")
        first = {(call.method, call.host, call.shape, call.needs): call for call in reversed(self.found)}
        for key, names in wire.items():
            call = first[key]
            yield Sample(method=call.method, url=_url(call), names=frozenset(names), headers=_fields(call))
        yield from self._neighbours(every)

    def _neighbours(self, every: int) -> Iterator[Sample]:
        exists = Existing([*self.found, *self.around])
        for call in self.found[::every]:
            methods = (method for method in OTHER_METHODS if not exists.at(method, call.host, call.path))
            if (method := next(methods, None)) is not None:
                yield _near(method, _url(call))
            longer = call.path.rstrip("/") + "/no-such-thing"
            if not exists.at(call.method, call.host, longer):
                yield _near(call.method, f"https://{call.host}{longer}")
            yield _near(call.method, f"https://{call.host}.neighbour.internal{call.path}")


class Existing:
    """Which paths are operations: every way through a tree of segments is tried; where a parameter is wide, regular expressions."""

    def __init__(self, calls: list[Call]) -> None:
        self._trees: dict[tuple[str, str], dict[str, Any]] = {}
        self._wide: dict[tuple[str, str], list[re.Pattern[str]]] = {}
        for method, host, shape in sorted({(call.method, call.host, call.shape) for call in calls}):
            if "{+}" in shape:
                self._wide.setdefault((method, host), []).append(_pattern(shape))
                continue
            node = self._trees.setdefault((method, host), {})
            for segment in shape.split("/"):
                node = node.setdefault(segment, {})
            node["end"] = {}

    def at(self, method: str, host: str, path: str) -> bool:
        tree = self._trees.get((method, host), {})
        wide = self._wide.get((method, host), [])
        return self._leads(tree, path.split("/")) or any(pattern.fullmatch(path) for pattern in wide)

    def _leads(self, node: Mapping[str, Any], rest: list[str]) -> bool:
        if not rest:
            return "end" in node
        ways = (child for segment, child in node.items() if segment == rest[0] or ("{" in segment and _fits(segment, rest[0])))
        return any(self._leads(child, rest[1:]) for child in ways)


def _fits(shape: str, segment: str) -> bool:
    return bool(segment) if shape == "{}" else _pattern(shape).fullmatch(segment) is not None


@cache
def _pattern(shape: str) -> "re.Pattern[str]":
    return re.compile(re.sub(r"\\\{(\\\+)?\\\}", lambda hole: ".+" if hole[1] else "[^/]+", re.escape(shape)))


def _near(method: str, url: str) -> Sample:
    return Sample(method=method, url=url, names=frozenset({f"http:{method}"}), neighbour=True)


def _url(call: Call) -> str:
    return f"https://{call.host}{call.path}" + ("?" + urlencode(call.query, quote_via=quote) if call.query else "")


def _fields(call: Call) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), b"1") for name in call.headers)


def _calls(document: Mapping[str, Any], reading: Reading) -> Iterator[Call]:
    for section in ("paths", "x-ms-paths"):
        for key, item in (document.get(section) or {}).items():
            if key.startswith("x-"):
                continue
            while isinstance(item.get("$ref"), str):
                item = _follow(document, item["$ref"])
            for verb in VERBS:
                if verb in item:
                    call = _call(document, key, item, verb, reading)
                    if reading.named_by_path:
                        call = replace(call, name=key.removeprefix("/"))
                        yield replace(call, method="GET")
                    yield call


def _call(document: Mapping[str, Any], key: str, item: Mapping[str, Any], verb: str, reading: Reading) -> Call:
    operation = item[verb]
    parameters = {}
    for each in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]:
        while isinstance(each, dict) and isinstance(each.get("$ref"), str):
            each = _follow(document, each["$ref"])
        if isinstance(each, dict) and "name" in each:
            parameters[each["in"], each["name"]] = each
    host, base = _place(document, item, operation, reading)
    bare, _, behind = key.partition("#")[0].partition("?")
    path = "/".join(["", *(part for part in base.split("/") if part), bare.removeprefix("/")])

    def hole(found: "re.Match[str]", *, fill: bool) -> str:
        parameter = parameters.get(("path", found[1]), {})
        wide = parameter.get("x-multi-segment") is True or (found[1] in reading.wide and bare.startswith(reading.only_under))
        if not fill:
            return "{+}" if wide else "{}"
        if wide:
            return "some/longer%20path/of/it"
        said = str(parameter.get("description"))
        return "a%2Fb" if found[1] in reading.encoded or re.search("url[- ]encoded|%2f", said, re.I) else _value(parameter)

    query = [(name, value) for name, _, value in (part.partition("=") for part in behind.split("&")) if name]
    query += [
        (name, _value(each)) for (where, name), each in parameters.items() if where == "query" and each.get("required") is True
    ]
    return Call(
        method=verb.upper(),
        host=host,
        shape=HOLE.sub(lambda found: hole(found, fill=False), path),
        path=quote(HOLE.sub(lambda found: hole(found, fill=True), path), safe="/%:@!$&'()*+,;=~-._"),
        query=tuple(dict(query).items()),
        headers=tuple(name for (where, name), each in parameters.items() if where == "header" and each.get("required") is True),
        name=str(operation.get("operationId") or "").strip() or f"{verb.upper()} /{bare.removeprefix('/')}{_asked(behind)}",
    )


def _asked(behind: str) -> str:
    """Of the query in a path's key, what an operation without a name is called by."""
    names = sorted({part.partition("=")[0] for part in behind.split("&")} - {""})
    return "?" + "&".join(names) if names else ""


def _place(document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any], reading: Reading) -> tuple[str, str]:
    """Host and base path of the first server that has both a scheme and a host."""
    if "swagger" in document:
        host, base = str(document.get("host") or ""), str(document.get("basePath") or "")
    else:
        servers = operation.get("servers") or item.get("servers") or document.get("servers") or [{"url": "/"}]
        host = base = ""
        for server in servers:
            url = str(server["url"])
            for name, variable in (server.get("variables") or {}).items():
                default = str(variable.get("default", ""))
                fits = re.fullmatch(r"[\w.-]+|/.*", default) or url.startswith("{")
                url = url.replace("{" + name + "}", default if fits else "value")
            found = re.fullmatch(r"(?:[a-z]+:)?//([^/?#]+)([^?#]*).*", url.strip())
            if found is not None:
                host, base = found[1], found[2]
                break
            base = base or re.split("[?#]", url)[0]
    host = re.sub(r":[0-9]+$", "", host)
    return reading.host or host, reading.base if reading.base is not None else base


def _follow(document: Any, reference: str) -> Any:
    if not reference.startswith("#/"):
        return {}
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
        document = document[int(part)] if isinstance(document, list) else document.get(part, {})
    return document


def _value(parameter: Mapping[str, Any]) -> str:
    """The document's own example where it has one that fits a segment, else a value of the type."""
    schema = parameter.get("schema") if isinstance(parameter.get("schema"), dict) else parameter
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(listed := schema.get("enum"), list) and (words := [_text(each) for each in listed if each not in ("", None)]):
        return words[0]
    for holder in (parameter, schema):
        example = holder.get("example")
        if isinstance(example, str | int) and re.fullmatch(r"[A-Za-z0-9_-]{3,60}", _text(example)):
            return _text(example)
    kind = schema.get("type")
    return "4217" if kind in ("integer", "number") else "true" if kind == "boolean" else "some-value"


def _text(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
