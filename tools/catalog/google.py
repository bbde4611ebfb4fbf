"""Google's discovery documents, as the package google-api-python-client carries them → facts.

Path templates: RFC 6570 levels 1 and 2 (`{name}`, `{+name}`), where `pattern` says which segments `{+name}` may hold.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from firewall.action import Kind, stricter_kind
from firewall.classify.catalog.facts import Facts, Operation, Section
from firewall.classify.catalog.verbs import kind_of
from tools.catalog.reviewed_google import RAISED, READS

PACKAGE = "PyPI google-api-python-client 2.202.0"
DOCUMENTS = "googleapiclient/discovery_cache/documents"

_EXPRESSION = re.compile(r"\{(\+?)([A-Za-z0-9_.]+)\}")
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+")
_ONE_SEGMENT = re.compile(r"(?:(?:\[[^\]/^]+\]|\\[dw])(?:[+*]|\{\d+(?:,\d*)?\})?)+")
"""`[0-9]{0,20}`: characters of a kind, none of them a slash."""
_DEPTH = 16
_REGIONAL = re.compile(r"(?P<service>[a-z0-9-]+)\.(?P<place>[a-z0-9-]+)\.rep\.googleapis\.com")


@dataclass(slots=True)
class _Root:
    """What stands at one root URL, from every document of it. `ops`: base path → operations."""

    hosts: set[str] = field(default_factory=set)
    ops: dict[str, set[Operation]] = field(default_factory=dict)


def generate(folder: Path) -> Facts:
    """`folder`: where the wheel was unpacked."""
    roots: dict[str, _Root] = {}
    newest = ""
    for path in sorted((folder / DOCUMENTS).glob("*.json")):
        document = json.loads(path.read_text())
        if "rootUrl" not in document:  # the directory of documents
            continue
        newest = max(newest, document["revision"])
        host = _host(document["rootUrl"])
        root = roots.setdefault(host, _Root(hosts={host}))
        root.hosts |= _hosts(document)
        base = "/" + document["servicePath"].strip("/")
        for method in _methods(document):
            for where, op in _operations(document, method, base):
                root.ops.setdefault(where, set()).add(op)
        batch = "/" + document["batchPath"].strip("/")
        root.ops.setdefault("/", set()).add(Operation(method="POST", template=batch, kind=Kind.WRITE, operation="batch"))
    sections = [
        Section(hosts=tuple(sorted(root.hosts)), base=base, operations=tuple(ops))
        for _, root in sorted(roots.items())
        for base, ops in sorted(root.ops.items())
    ]
    return Facts(
        service="google",
        title="Google",
        source=PACKAGE,
        date=f"{newest[:4]}-{newest[4:6]}-{newest[6:8]}",
        licence="Apache-2.0",
        notes=("batch: a multipart body of requests, each of which is classified",),
        sections=tuple(sections),
    )


def _methods(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from node.get("methods", {}).values()
    for resource in node.get("resources", {}).values():
        yield from _methods(resource)


def _host(url: str) -> str:
    host = urlsplit(url).hostname
    if not host:
        raise ValueError(f"no host in {url!r}")
    return host


def _hosts(document: Mapping[str, Any]) -> set[str]:
    """The global one, its twin for mutual TLS, and the regional ones."""
    found = {_host(document["rootUrl"])}
    if document.get("mtlsRootUrl"):
        found.add(_host(document["mtlsRootUrl"]))
    for endpoint in document.get("endpoints", ()):
        host = _host(endpoint["endpointUrl"])
        regional = _REGIONAL.fullmatch(host)
        found.add(f"{regional['service']}.*.rep.googleapis.com" if regional else host)
    return found


def _operations(document: Mapping[str, Any], method: Mapping[str, Any], base: str) -> Iterator[tuple[str, Operation]]:
    """(base path, operation): the method itself, and where its media are sent to or fetched from."""
    verb, name = method["httpMethod"], method["id"]
    parameters = method.get("parameters", {})
    template = _template(method["path"], parameters)
    kind = _kind(verb, template, name)
    for each in (template, *_deeper(verb, template)):
        yield base, Operation(method=verb, template=each, kind=kind, operation=name)
    service = document["servicePath"].strip("/")
    prefix = f"/{service}" if service else ""
    if method.get("useMediaDownloadService"):
        yield "/", Operation(method=verb, template=f"/download{prefix}{template}", kind=kind, operation=name)
    media = method.get("mediaUpload", {}).get("protocols", {})
    places = {f"/upload{prefix}{template}"} if media else set()
    places |= {_template(protocol["path"], parameters) for protocol in media.values()}
    for place in sorted(places):
        yield "/", Operation(method=verb, template=place, kind=kind, operation=name)
        # The pieces of a resumable upload go to the place that its start was told.
        yield "/", Operation(method="PUT", template=f"{place}?upload_id", kind=stricter_kind(kind, Kind.WRITE), operation=name)


def _deeper(verb: str, template: str) -> Iterator[str]:
    """Firestore: what lies at an even depth is a document, at an odd one a collection, which no pattern of theirs says."""
    if verb == "GET" and template.endswith("/documents/*/**}"):
        for depth in range(3, _DEPTH, 2):
            yield template.removesuffix("**}") + "/".join("*" * depth) + "}"


def _template(path: str, parameters: Mapping[str, Any]) -> str:
    path = path.lstrip("/")
    parts, at = [], 0
    for found in _EXPRESSION.finditer(path):
        plus, name = found.groups()
        pattern = parameters.get(name, {}).get("pattern")
        whole = (found.start() == 0 or path[found.start() - 1] == "/") and path[found.end() : found.end() + 1] in {"", "/", ":"}
        parts += [path[at : found.start()], _parameter(name, plus=bool(plus), pattern=pattern, whole=whole)]
        at = found.end()
    return "/" + "".join([*parts, path[at:]])


def _parameter(name: str, *, plus: bool, pattern: str | None, whole: bool) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if plus:
        shape = None if pattern is None else segments_of(pattern)
        return f"{{{name}={shape}}}" if shape not in {None, "*", "**"} else f"{{{name}}}" if shape == "*" else f"{{+{name}}}"
    # A value with a slash is sent with %2F; most have no pattern that would exclude one.
    return f"{{*{name}}}" if whole and (pattern is None or "/" in pattern or "." in pattern) else f"{{{name}}}"


def segments_of(pattern: str) -> str | None:
    """`^projects/[^/]+/locations/[^/]+$` → `projects/*/locations/*`; `.*` as the last part → `**`. None: not of that form."""
    parts = pattern.removeprefix("^").removesuffix("$").replace("[^/]+", "\x00").split("/")
    shaped = []
    for number, part in enumerate(parts):
        if part == ".*" and number == len(parts) - 1:
            shaped.append("**")
        elif _PLAIN_SEGMENT.fullmatch(part):
            shaped.append(part)
        elif part == "\x00" or _ONE_SEGMENT.fullmatch(part):
            shaped.append("*")
        else:
            return None
    return "/".join(shaped)


def _kind(verb: str, template: str, name: str) -> Kind:
    """The method is the floor; a verb of the name or the path raises it; POST is a read only for what was reviewed."""
    last = name.rpartition(".")[2]
    if verb == "POST" and (last in READS or name in READS):
        return Kind.READ
    kind = kind_of(verb, template, last)
    return stricter_kind(kind, Kind.WRITE) if last in RAISED else kind
