"""SDKs in Go that are made from an OpenAPI description: names and paths from their code, not from the `api.md` that the generator
reads. A service is a struct; its fields are services within it; its functions make one request each.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.catalogs.sample import Sample

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t(\w+)\s+\*?(?:(\w+)\.)?(\w+Service)\b", re.MULTILINE)
_FUNCTION = re.compile(r"^func \(r \*?(\w+Service)\) (\w+)\(.*?^\}", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r'path := (?:fmt\.Sprintf\()?"([^"]+)"')
_VERB = re.compile(r"http\.Method(\w+), (?:path|[^,]+),")
_PACKAGE = re.compile(r"^package (\w+)", re.MULTILINE)


@dataclass(slots=True)
class _Code:
    """By package and struct: fields (name, package, struct), and functions (name, verb, path)."""

    fields: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    functions: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    root: tuple[str, str] = ("", "")


def requests(folder: Path, service: str, base: str) -> Iterator[Sample]:
    """`base`: URL below which the paths stand."""
    code = _read(folder)
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, verb, path in _walk(code, code.root, ()):
        found[verb, path].add(f"{service}:{name}")
    for (verb, path), names in sorted(found.items()):
        yield Sample(method=verb, url=f"{base}/{path}", names=frozenset(names))


def _read(folder: Path) -> _Code:
    code = _Code()
    for file in sorted(folder.rglob("*.go")):
        if file.name.endswith("_test.go") or {"internal", "packages", "examples", "option"} & set(file.relative_to(folder).parts):
            continue
        text = file.read_text()
        package = _PACKAGE.search(text)
        own = package[1] if package else ""
        for name, body in _STRUCT.findall(text):
            code.fields[own, name] += [(label, where or own, kind) for label, where, kind in _FIELD.findall(body)]
            if name == "Client" and file.parent == folder:
                code.root = own, name
        for function in _FUNCTION.finditer(text):
            verb, path = _VERB.search(function[0]), _PATH.search(function[0])
            if verb and path and "AutoPaging" not in function[2]:
                code.functions[own, function[1]].append((function[2], verb[1].upper(), _filled(path[1])))
    return code


def _filled(path: str) -> str:
    path = path.lstrip("/")
    if path.startswith("%s/%s/"):  # accounts or zones
        path = path.replace("%s", "zones", 1)
    return re.sub(r"%[svd]", "x1", path)


def _walk(code: _Code, holder: tuple[str, str], path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for name, verb, url in code.functions[holder]:
        yield ".".join((*path, name)), verb, url
    for name, package, struct in code.fields[holder]:
        yield from _walk(code, (package, struct), (*path, name))
