"""A document's tree → the operations that it describes. Every step costs of one budget, because aliases and references let a small
document name much."""

import re
from collections.abc import Iterator
from typing import Any

from firewall.classify.catalog.facts import MAX_NAME
from firewall.classify.catalog.openapi_described import Described, Description, told_apart
from firewall.classify.catalog.openapi_path import Unreadable, constraint, read_key
from firewall.classify.catalog.openapi_servers import Place, Unusable, places
from firewall.classify.catalog.openapi_text import BadDocument, Tree, scalar
from firewall.classify.catalog.template import joined, parse_template
from firewall.globs import host_glob

MAX_OPERATIONS = 50_000
MAX_SERVERS = 100
"""In one list."""
MAX_WORK = 1_000_000
"""Parameters, servers and operations looked at, each time they are."""
MAX_HOPS = 16
"""References that lead to references."""

NOTHING = "no operation is described"

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_METHOD = re.compile(r"[A-Z]{1,20}")
_NAMES = re.compile(r"\{[*+]?([^{}=]*)")


def describe(tree: Tree, hosts: tuple[str, ...] = ()) -> Description:
    """`hosts`: globs in place of those that the document names. Raises BadDocument."""
    if not isinstance(tree, dict):
        raise BadDocument("line 1", "not a document of OpenAPI: no mapping")
    try:
        named = tuple(sorted({host_glob(host) for host in hosts}))
    except ValueError as error:
        raise BadDocument("the host", str(error)) from None
    walk = _Walk(tree, named)
    operations = told_apart(list(walk.operations()))
    if not operations:
        raise BadDocument("paths", "; ".join(walk.notes[:3]) or NOTHING)
    info = tree.get("info")
    info = info if isinstance(info, dict) else {}
    licence = info.get("license")
    return Description(
        title=scalar(info.get("title")),
        licence=scalar(licence.get("name")) if isinstance(licence, dict) else "",
        operations=tuple(operations),
        notes=tuple(dict.fromkeys(walk.notes)),
    )


class _Walk:
    def __init__(self, tree: dict[str, Any], hosts: tuple[str, ...]) -> None:
        self.tree = tree
        self.hosts = hosts
        self.notes: list[str] = []
        self.work = 0
        self.swagger = _is_swagger(tree)
        self._resolved: dict[str, Any] = {}
        self._placed: dict[int, tuple[Place, ...]] = {}

    def operations(self) -> Iterator[Described]:
        around = self._root_places()
        count = 0
        for section in ("paths", "x-ms-paths"):
            items = self.tree.get(section)
            if items is not None and not isinstance(items, dict):
                raise BadDocument(section, "not a mapping")
            for key, item in (items or {}).items():
                if key.startswith("x-"):
                    continue
                for operation in self._item(section, key, item, around):
                    count += 1
                    if count > MAX_OPERATIONS:
                        raise BadDocument(_where(section, key), f"more than {MAX_OPERATIONS} operations")
                    yield operation

    def _spend(self, amount: int, where: str) -> None:
        self.work += amount
        if self.work > MAX_WORK:
            raise BadDocument(where, "the document names too much to be read")

    # --- servers --------------------------------------------------------------------------------------------------------

    def _root_places(self) -> tuple[Place, ...] | str:
        """Or why there is none."""
        servers = _swagger_servers(self.tree) if self.swagger else self.tree.get("servers")
        found = self._places(servers if servers else [{"url": "/"}], "servers")
        return found if found else "; ".join(self.notes[-3:]) or "no server is named"

    def _places(self, servers: Any, where: str) -> tuple[Place, ...]:
        if not isinstance(servers, list) or len(servers) > MAX_SERVERS:
            raise BadDocument(where, f"not a list of at most {MAX_SERVERS} servers")
        if id(servers) in self._placed:  # one list behind many aliases
            return self._placed[id(servers)]
        bases: dict[str, set[str]] = {}
        for server in servers:
            server = server if isinstance(server, dict) else {}
            self._spend(10 + len(scalar(server.get("url"))), where)
            try:
                for place in places(server, self.hosts):
                    self._spend(len(place.hosts), where)
                    bases.setdefault(place.base, set()).update(place.hosts)
            except Unusable as error:
                self.notes.append(f"{where}: left out: {error}")
        found = tuple(Place(hosts=tuple(sorted(hosts)), base=base) for base, hosts in sorted(bases.items()))
        self._placed[id(servers)] = found
        return found

    # --- paths ----------------------------------------------------------------------------------------------------------

    def _item(self, section: str, key: str, item: Any, around: tuple[Place, ...] | str) -> Iterator[Described]:
        where = _where(section, key)
        self._spend(1, where)
        item = self._item_itself(item, where)
        shared = self._parameters(item.get("parameters"), where)
        here = self._places(item["servers"], where) if item.get("servers") else around
        for method, operation in _methods(item):
            at = f"{where}.{method.lower()}"
            if not isinstance(operation, dict):
                raise BadDocument(at, "an operation is a mapping")
            own = self._parameters(operation.get("parameters"), at)
            found = self._places(operation["servers"], at) if operation.get("servers") else here
            if isinstance(found, str):
                raise BadDocument("servers", f"{found}: name the host of the API (--host)")
            if not found:
                continue
            self._spend(len(found), at)
            try:
                yield self._operation(method, key, operation, {**shared, **own}, found, at)
            except (Unreadable, ValueError) as error:
                self.notes.append(f"{at}: left out: {error}")

    def _item_itself(self, item: Any, where: str) -> dict[str, Any]:
        for _ in range(MAX_HOPS):
            if not isinstance(item, dict):
                raise BadDocument(where, "a path item is a mapping")
            reference = item.get("$ref")
            if reference is None:
                return item
            if not isinstance(reference, str) or not reference.startswith("#"):
                raise BadDocument(where, "a reference to another document is not followed: write the path out")
            rest = {name: value for name, value in item.items() if name != "$ref"}
            target = self._pointed(reference)
            if not isinstance(target, dict):
                raise BadDocument(where, f"{reference[:100]!r} leads nowhere")
            item = {**target, **rest}
        raise BadDocument(where, "references lead in a circle")

    def _parameters(self, given: Any, where: str) -> dict[tuple[str, str], dict[str, Any]]:
        """By place and name. A reference that leads nowhere is left out: nothing depends on it but how a value may be spelled."""
        if not isinstance(given, list):
            return {}
        self._spend(len(given), where)
        found = {}
        for parameter in given:
            for _ in range(MAX_HOPS):
                if not isinstance(parameter, dict) or not isinstance(parameter.get("$ref"), str):
                    break
                parameter = self._pointed(parameter["$ref"])
            if isinstance(parameter, dict) and isinstance(parameter.get("name"), str) and isinstance(parameter.get("in"), str):
                found[parameter["in"], parameter["name"]] = parameter
        return found

    def _pointed(self, reference: str) -> Any:
        """RFC 6901, within the document; None where it leads nowhere."""
        if reference in self._resolved:
            return self._resolved[reference]
        target: Any = self.tree if reference.startswith("#/") else None
        for part in reference[2:].split("/")[:MAX_HOPS] if target is not None else ():
            part = part.replace("%7B", "{").replace("%7D", "}").replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(part)
            elif isinstance(target, list) and part.isdecimal() and len(part) < 8 and int(part) < len(target):
                target = target[int(part)]
            else:
                target = None
        self._resolved[reference] = target
        return target

    def _operation(
        self,
        method: str,
        key: str,
        operation: dict[str, Any],
        parameters: dict[tuple[str, str], dict[str, Any]],
        around: tuple[Place, ...],
        where: str,
    ) -> Described:
        in_path = {name: each for (place, name), each in parameters.items() if place == "path"}
        in_query = {name: each for (place, name), each in parameters.items() if place == "query"}
        taken = {name for place in around for name in _NAMES.findall(place.base)}
        read = read_key(key, in_path, taken)
        for place in around:
            parse_template(joined(place.base, read.path))
        repeated = {part.partition("=")[0]: part.partition("=")[2] for part in read.fragment}
        fragment = {constraint(name, value) for name, value in repeated.items() if name in in_query}
        needed = {constraint(name, _only(each)) for name, each in in_query.items() if each.get("required") is True}
        tags = operation.get("tags")
        return Described(
            method=method,
            path=read.path,
            name=_name(operation.get("operationId"), where),
            places=around,
            query=read.query,
            extensions={name: value for name, value in operation.items() if name.startswith("x-")},
            tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            required=tuple(sorted(each for each in needed | fragment if each)),
            required_headers=tuple(
                sorted(
                    name.lower()
                    for (place, name), each in parameters.items()
                    if place == "header" and each.get("required") is True and re.fullmatch(r"[A-Za-z0-9-]{1,100}", name)
                )
            ),
        )


def _is_swagger(tree: dict[str, Any]) -> bool:
    if scalar(tree.get("swagger")).startswith("2."):
        return True
    if not scalar(tree.get("openapi")).startswith("3."):
        raise BadDocument("line 1", "neither `openapi: 3…` nor `swagger: 2.0`")
    return False


def _swagger_servers(tree: dict[str, Any]) -> list[dict[str, Any]]:
    base = tree.get("basePath")
    base = "/" + base.strip("/") if isinstance(base, str) else "/"
    host = tree.get("host")
    azure = tree.get("x-ms-parameterized-host")
    if isinstance(azure, dict) and isinstance(azure.get("hostTemplate"), str):
        host = azure["hostTemplate"].removeprefix("https://").rstrip("/")
    return [{"url": f"https://{host}{base}" if isinstance(host, str) and host else base}]


def _methods(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for method in METHODS:
        if item.get(method) is not None:
            yield method.upper(), item[method]
    more = item.get("additionalOperations")  # OpenAPI 3.2
    for method, operation in more.items() if isinstance(more, dict) else ():
        if _METHOD.fullmatch(method):
            yield method, operation


def _name(given: Any, where: str) -> str:
    """Verbatim; empty where there is none, or one that is too long for a name."""
    text = scalar(given).strip()
    if not text.isprintable():
        raise BadDocument(where, "the operationId holds characters that do not print")
    return text if len(text) <= MAX_NAME else ""


def _only(parameter: dict[str, Any]) -> str | None:
    """The one value that a parameter can have, if it is a word."""
    schema = parameter.get("schema")
    values = (schema if isinstance(schema, dict) else parameter).get("enum")
    return values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str) else None


def _where(section: str, key: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in key[:200])
    return f"{section}.{shown}"
