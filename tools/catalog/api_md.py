"""`api.md` of SDKs that are made from an OpenAPI description (OpenAI, Anthropic, Cloudflare): each method's name, verb and path →
facts. The names are those that programmers write: `chat.completions.create`, `Messages.New`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firewall.classify.catalog.facts import Facts, Operation, Section
from firewall.classify.catalog.verbs import NOTHING_REVIEWED, Reviewed, kind_of
from tools.catalog.packages import Package

_LINE = re.compile(r'title="(\w+) ([^"]+)">client\.((?:\w+\.)*)<a [^>]*>(\w+)</a>')
_HOLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    verb: str
    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """`places`: hosts and base path. `slashed`: parameters that may hold an encoded slash; `wide`: that are sent with slashes.
    `choices`: parameters that stand for one of a few words. `more`: methods that `api.md` does not list. `least`: fewer methods
    than this mean that the file was not understood."""

    service: str
    title: str
    package: Package
    date: str
    licence: str
    least: int
    places: tuple[tuple[tuple[str, ...], str], ...]
    selves: tuple[str, ...]
    slashed: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reviewed: Reviewed = NOTHING_REVIEWED
    more: tuple[Method, ...] = ()
    more_sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()

    def generate(self, folder: Path) -> Facts:
        """`folder`: the package's files."""
        found = list(methods(folder))
        if len(found) < self.least:
            raise ValueError(f"{len(found)} methods in api.md of {self.package}")
        operations = dict[tuple[str, str], Operation]()
        for method in (*found, *self.more):
            for path in self._paths(method.path):
                shape = _HOLE.sub("{}", path)
                operations.setdefault((method.verb, shape), self._operation(method, path))  # of twins, the first that is listed
        return Facts(
            service=self.service,
            title=self.title,
            source=str(self.package),
            date=self.date,
            licence=self.licence,
            notes=self.notes,
            sections=(
                *(Section(hosts=hosts, base=base, operations=tuple(operations.values())) for hosts, base in self.places),
                *self.more_sections,
            ),
            selves=self.selves,
        )

    def _operation(self, method: Method, path: str) -> Operation:
        template = self._template(path)
        last = method.name.rpartition(".")[2]
        known = {method.name, last}
        said = self.reviewed

        def listed(names: frozenset[str]) -> frozenset[str]:
            return frozenset({last}) if known & names else frozenset()

        reviewed = Reviewed(
            verbs=said.verbs,
            reads=listed(said.reads),
            writes=listed(said.writes),
            executes=listed(said.executes),
            deletes=listed(said.deletes),
        )
        return Operation(
            method=method.verb, template=template, kind=kind_of(method.verb, template, last, reviewed), operation=method.name
        )

    def _template(self, path: str) -> str:
        seen: list[str] = []

        def hole(found: "re.Match[str]") -> str:
            name = found[1]
            seen.append(name)
            again = str(seen.count(name)) if seen.count(name) > 1 else ""  # the vendor gives two parameters one name
            return f"{{{self._width(name)}{name}{again}}}"

        return _HOLE.sub(hole, path)

    def _width(self, name: str) -> str:
        return "+" if name in self.wide else "*" if name in self.slashed else ""

    def _paths(self, path: str) -> Iterator[str]:
        for name, words in self.choices.items():
            if f"{{{name}}}" in path:
                for word in words:
                    yield from self._paths(path.replace(f"{{{name}}}", word))
                return
        yield path


def methods(folder: Path) -> Iterator[Method]:
    """In the order of the files; a file `api.md` beside each package of a large SDK."""
    for file in sorted(folder.rglob("api.md"), key=lambda each: (len(each.parts), str(each))):
        for verb, path, holder, name in _LINE.findall(file.read_text()):
            yield Method(verb=verb.upper(), path=path, name=holder + name)
