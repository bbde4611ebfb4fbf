"""Fact texts, `aaf-facts/1` (docs/catalog-format.md): read strictly, written in the one order in which they are committed."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from firewall.action import Kind
from firewall.classify.catalog.template import joined, parse_template
from firewall.globs import host_glob

HEAD = "aaf-facts/1"
MAX_TEXT = 16 << 20
MAX_LINE = 4000
MAX_SECTIONS = 5000
MAX_OPERATIONS = 100_000
MAX_NAME = 300
MAX_PROBLEMS = 20
"""Bytes of a text; characters of a line; sections and operations of a text; characters of a name, title or note; problems told."""

FIELDS = ("service", "title", "source", "date", "licence")
"""What every text says first, once each, in this order."""

_SERVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")
_IAM = re.compile(r"[A-Za-z0-9_.:*/-]{1,200}")
RESERVED = frozenset({"http"})
"""No catalog's names: `http:GET` is what nobody described."""


class BadFacts(ValueError):
    """A text that is no `aaf-facts/1`. `problems`: line number (from 1) and what is wrong there."""

    def __init__(self, problems: tuple[tuple[int, str], ...]) -> None:
        super().__init__("; ".join(f"line {line}: {says}" for line, says in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`template`: path below the section's base, with query constraints. `operation`: the vendor's word, verbatim; empty where it
    has none (it is then named `METHOD template`). `headers`: fields, lower case, that the request must carry to be this one."""

    method: str
    template: str
    kind: Kind
    operation: str = ""
    iam_action: str | None = None
    headers: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[str, str, str, tuple[str, ...]]:
        return self.template, self.method, self.operation, self.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`hosts`: globs as in policies. `base`: the path below which the templates stand (itself a template without a query)."""

    hosts: tuple[str, ...]
    base: str = "/"
    operations: tuple[Operation, ...] = ()

    @property
    def order(self) -> tuple[str, str]:
        return ",".join(self.hosts), self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One service. `source`: registry, package and version. `date`: of its content, YYYY-MM-DD. `licence`: SPDX. `selves`: base
    paths at hosts that the operator names for the service; where there is none, the sections' own bases hold there."""

    service: str
    title: str
    source: str
    date: str
    licence: str
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    selves: tuple[str, ...] = field(default=())


def revision_of(text: str) -> str:
    """What names a text in decisions: the first 12 digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def print_facts(facts: Facts) -> str:
    """The text: sections, hosts and operations sorted, each once. Raises BadFacts for what the format cannot say (the lines are
    those of the text that would have been)."""
    text = "".join(line + "\n" for line in _lines(facts))
    parse_facts(text)
    return text


def _lines(facts: Facts) -> Iterator[str]:
    yield HEAD
    for name in FIELDS:
        yield f"{name}\t{getattr(facts, name)}"
    yield from (f"note\t{note}" for note in facts.notes)
    sections = [
        Section(hosts=tuple(sorted(set(each.hosts))), base=each.base, operations=each.operations) for each in facts.sections
    ]
    for section in sorted(sections, key=lambda each: each.order):
        yield f"at\t{','.join(section.hosts)}\t{section.base}"
        for operation in sorted(set(section.operations), key=lambda each: each.order):
            yield "\t".join(_fields(operation))
    yield from (f"self\t{base}" for base in sorted(set(facts.selves)))


def _fields(operation: Operation) -> Iterator[str]:
    yield from ("op", operation.method, operation.template, operation.kind.value, operation.operation)
    yield from (f"h={name}" for name in sorted(operation.headers))
    if operation.iam_action is not None:
        yield f"iam={operation.iam_action}"


def parse_facts(text: str) -> Facts:
    """Raises BadFacts, with up to MAX_PROBLEMS of the lines that are wrong."""
    if len(text) > MAX_TEXT or (not text.isascii() and len(text.encode()) > MAX_TEXT):
        raise BadFacts(((1, f"the text is larger than {MAX_TEXT} bytes"),))
    if not text.endswith("\n"):
        raise BadFacts(((text.count("\n") + 1, "the last line does not end in a line feed"),))
    lines = text[:-1].split("\n")
    if lines[0] != HEAD:
        raise BadFacts(((1, f"the first line is not {HEAD}"),))
    reader = _Reader()
    for number, line in enumerate(lines[1:], 2):
        try:
            reader.line(line)
        except ValueError as error:
            reader.problems.append((number, str(error)))
            if len(reader.problems) == MAX_PROBLEMS:
                break
    if not reader.problems and len(reader.said) < len(FIELDS):
        reader.problems.append((len(lines), f"no {FIELDS[len(reader.said)]}"))
    if reader.problems:
        raise BadFacts(tuple(reader.problems))
    return reader.facts()


class _Reader:
    """Line by line. Sections are kept open until the next one begins."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self.said: list[str] = []
        self._notes: list[str] = []
        self._closed: list[Section] = []
        self._open: Section | None = None
        self._operations: list[Operation] = []
        self._selves: list[str] = []
        self._count = 0

    def line(self, line: str) -> None:
        if len(line) > MAX_LINE:
            raise ValueError(f"longer than {MAX_LINE} characters")
        word, *rest = line.split("\t")
        if not all(part.isprintable() for part in rest):
            raise ValueError("characters that do not print")
        if len(self.said) < len(FIELDS):
            self._field(word, rest)
        elif word == "note":
            self._note(rest)
        elif word == "at":
            self._at(rest)
        elif word == "op":
            self._op(rest)
        elif word == "self":
            self._self(rest)
        else:
            raise ValueError(f"{word!r} is no word of {HEAD} here")

    def facts(self) -> Facts:
        self._close()
        given = dict(zip(FIELDS, self.said, strict=True))
        return Facts(**given, notes=tuple(self._notes), sections=tuple(self._closed), selves=tuple(self._selves))

    def _field(self, word: str, rest: list[str]) -> None:
        expected = FIELDS[len(self.said)]
        if word != expected:
            raise ValueError(f"{expected} is due here, not {word!r}")
        (value,) = _exactly(1, word, rest)
        self.said.append(value)  # said, if wrongly: one problem is told once
        _named(value)
        if word == "service" and (not _SERVICE.fullmatch(value) or value in RESERVED):
            raise ValueError(f"{value!r} is no name of a service: a-z, 0-9, _ and -, and not {', '.join(RESERVED)}")
        if word == "date" and not _DATE.fullmatch(value):
            raise ValueError(f"{value!r} is no date YYYY-MM-DD")

    def _note(self, rest: list[str]) -> None:
        if self._open is not None or self._selves:
            raise ValueError("notes stand before the first section")
        self._notes.append(_named(*_exactly(1, "note", rest)))

    def _at(self, rest: list[str]) -> None:
        if self._selves:
            raise ValueError("self stands behind the last section")
        globs, base = _exactly(2, "at", rest)
        hosts = tuple(globs.split(","))
        for host in hosts:
            if host_glob(host) != host:
                raise ValueError(f"{host!r} is written {host_glob(host)}")
        if list(hosts) != sorted(set(hosts)):
            raise ValueError("hosts are sorted, each once")
        section = Section(hosts=hosts, base=_base(base))
        if self._open is not None and section.order <= self._open.order:
            raise ValueError("sections are sorted by hosts and base path, each once")
        self._close()
        self._open = section
        if len(self._closed) >= MAX_SECTIONS:
            raise ValueError(f"more than {MAX_SECTIONS} sections")

    def _op(self, rest: list[str]) -> None:
        if self._open is None or self._selves:
            raise ValueError("op stands in a section, which at begins")
        operation = _operation(self._open.base, rest)
        if self._operations and operation.order <= self._operations[-1].order:
            raise ValueError("operations are sorted by template, method and name, each once")
        self._count += 1
        if self._count > MAX_OPERATIONS:
            raise ValueError(f"more than {MAX_OPERATIONS} operations")
        self._operations.append(operation)

    def _self(self, rest: list[str]) -> None:
        base = _base(*_exactly(1, "self", rest))
        if self._selves and base <= self._selves[-1]:
            raise ValueError("self lines are sorted, each once")
        self._selves.append(base)

    def _close(self) -> None:
        if self._open is not None:
            self._closed.append(
                Section(hosts=self._open.hosts, base=self._open.base, operations=tuple(self._operations)),
            )
        self._open, self._operations = None, []


def _exactly(count: int, word: str, rest: list[str]) -> list[str]:
    if len(rest) != count:
        raise ValueError(f"{word} has {count} fields, not {len(rest)}")
    return rest


def _named(text: str) -> str:
    if not text or len(text) > MAX_NAME or text != text.strip():
        raise ValueError(f"a name or note has 1 to {MAX_NAME} characters and no blank at its ends")
    return text


def _base(text: str) -> str:
    if "?" in text or (text != "/" and text.endswith("/")):
        raise ValueError("a base path has no query and no slash at its end")
    parse_template(text)
    return text


def _operation(base: str, rest: list[str]) -> Operation:
    if len(rest) < 4:
        raise ValueError("op has method, template, kind and operation")
    method, template, kind, name, *extras = rest
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is no method")
    parse_template(joined(base, template))
    if not template.startswith("/"):
        raise ValueError("a template begins with /")
    if kind not in set(Kind):
        raise ValueError(f"{kind!r} is none of {', '.join(Kind)}")
    if name:
        _named(name)
    iam, headers = None, list[str]()
    for extra in extras:
        key, _, value = extra.partition("=")
        if key == "iam" and iam is None and _IAM.fullmatch(value):
            iam = value
        elif key == "h" and iam is None and _HEADER.fullmatch(value):
            headers.append(value)
        else:
            raise ValueError(f"{extra!r} is neither h=header-name nor, behind those and once, iam=action")
    if headers != sorted(set(headers)):
        raise ValueError("header names are sorted, each once")
    return Operation(method=method, template=template, kind=Kind(kind), operation=name, iam_action=iam, headers=tuple(headers))
