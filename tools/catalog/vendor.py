"""One vendor's OpenAPI documents, as they lie in a package → facts. What is peculiar to a vendor is data in `vendors`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firewall.action import Kind
from firewall.classify.catalog.facts import Facts
from firewall.classify.catalog.openapi import combine
from firewall.classify.catalog.openapi_described import Described
from firewall.classify.catalog.openapi_servers import Place
from firewall.classify.catalog.openapi_text import BadDocument, read_tree
from firewall.classify.catalog.openapi_walk import NOTHING, describe
from firewall.classify.catalog.verbs import NOTHING_REVIEWED, Reviewed, kind_of
from tools.catalog.packages import Package

Reshape = Callable[[Described], Iterable[Described]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`files`: glob in the package. `hosts`: in place of the document's own. `defaults`: server variables that have no other value
    than their default. `base`: in place of the document's base path. `rest`: only what no earlier document
    says, whatever the host."""

    files: str
    hosts: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    base: str | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """`date`: of the content. Documents that come later only add what earlier ones do not say. `more_hosts`: host → others where
    the same is served. `wide`: parameters that hold several segments though the document does not say so; `slashed`: that may
    hold an encoded slash. `kind`: in place of what method, words and `reviewed` say."""

    service: str
    title: str
    package: Package
    date: str
    licence: str
    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()
    selves: tuple[str, ...] = ()
    reviewed: Reviewed = NOTHING_REVIEWED
    more_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()
    slashed: frozenset[str] = frozenset()
    reshape: Reshape | None = None
    kind: Callable[[Described], Kind] | None = None

    def generate(self, folder: Path) -> Facts:
        """`folder`: the package's files."""
        found, known = [], set[tuple[object, ...]]()
        for document in self.documents:
            paths = sorted(folder.glob(document.files))
            if not paths:
                raise FileNotFoundError(f"{self.package} holds no {document.files}")
            for path in paths:
                try:
                    description = describe(_tree(path, document), document.hosts)
                except BadDocument as error:
                    if error.reason != NOTHING:
                        raise
                    continue
                fresh = [each for each in description.operations if _identity(each)[document.rest] not in known]
                known.update(identity for each in fresh for identity in _identity(each))
                found.append(replace(description, operations=tuple(self._shaped(fresh)), notes=()))
        return combine(
            tuple(found),
            service=self.service,
            title=self.title,
            source=str(self.package),
            date=self.date,
            licence=self.licence,
            notes=self.notes,
            selves=self.selves,
            kind=self.kind or (lambda each: kind_of(each.method, each.path, each.name, self.reviewed)),
        )

    def _shaped(self, operations: Iterable[Described]) -> Iterator[Described]:
        for operation in operations:
            path = re.sub(r"\{([^{}*+=]+)\}", self._width, operation.path)
            places = tuple(self._place(place) for place in operation.places)
            shaped = replace(operation, path=path, places=places)
            yield from self.reshape(shaped) if self.reshape is not None else (shaped,)

    def _width(self, hole: "re.Match[str]") -> str:
        mark = "+" if hole[1] in self.wide else "*" if hole[1] in self.slashed else ""
        return f"{{{mark}{hole[1]}}}"

    def _place(self, place: Place) -> Place:
        more = (other for host in place.hosts for other in self.more_hosts.get(host, ()))
        return Place(hosts=tuple(sorted({*place.hosts, *more})), base=place.base)


def _tree(path: Path, document: Document) -> dict[str, Any]:
    tree = read_tree(path.read_bytes())
    if not isinstance(tree, dict):
        raise TypeError(f"{path} holds no mapping")
    if document.base is not None:
        tree = {**tree, "servers": [{"url": document.base}], "basePath": document.base}
    return _pinned(tree, document.defaults) if document.defaults else tree


def _pinned(value: Any, names: tuple[str, ...]) -> Any:
    """Server variables of these names have one value: their default."""
    if isinstance(value, list):
        return [_pinned(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {**each, "enum": [each["default"]]}
        if key in names and isinstance(each, dict) and "default" in each
        else _pinned(each, names)
        for key, each in value.items()
    }


def _identity(operation: Described) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """At its places, and anywhere."""
    anywhere = (operation.method, operation.template, operation.headers)
    return (*anywhere, operation.places), anywhere
