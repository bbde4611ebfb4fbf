"""The index agrees with the slow reference, on catalogs and paths that are made to be confusing."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, Operation, Section, parse_facts, print_facts
from firewall.classify.catalog.index import BinaryIndex
from tests.reference import catalog

HOST = "api.forge.test"
SEGMENTS = [
    "a",
    "b",
    "a:go",
    "b:go:on",
    ":go",
    "x.json",
    ".json",
    "v1",
    "a-b",
    "a-b-c",
    "a/b",
    "a/b:go",
    "{n}",
    "{}:go",
    "\x00GET",
    "ü",
    "go",
]
HOLES = [
    "{N}", "{N}", "{N}", "{*N}", "{+N}", "{N}:go", "{N}:on", "{+N}:go", "{N}.json", "{+N}.json", "v{N}", "{N}-{M}", "{*N}:go",
    "{N=a/*}", "{N=*/b}", "{N=a/*}:go", "{N=**}", "{N=*/go}:go", "{N=a/**}", "{N=b/**}:go",
]  # fmt: skip
LITERALS = ["a", "b", "a:go", "v1", "go", "x.json"]
QUERIES = ["", "acl", "acl=", "acl=1", "acl&x", "x=1&x=2", "y", "acl&x=1&y"]
NEEDS = ["", "", "", "", "", "", "?acl", "?x", "?x=1", "?x=2", "?acl&x=1"]


@st.composite
def templates(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(LITERALS + HOLES), min_size=1, max_size=5))
    path = "/" + "/".join(part.replace("N", f"n{i}").replace("M", f"m{i}") for i, part in enumerate(parts))
    return path + draw(st.sampled_from(["", "", "/"])) + draw(st.sampled_from(NEEDS))


@st.composite
def operations(draw: st.DrawFn, number: int) -> Operation:
    return Operation(
        method=draw(st.sampled_from(["GET", "GET", "GET", "POST"])),
        template=draw(templates()),
        kind=draw(st.sampled_from(list(Kind))),
        operation=draw(st.sampled_from(["", f"op{number:02}"])),
        headers=draw(st.sampled_from([(), (), (), (), (), ("h",), ("h", "i")])),
    )


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    drawn = [draw(operations(number)) for number in range(draw(st.integers(1, 9)))]
    made = tuple({operation.order: operation for operation in drawn}.values())
    base = draw(st.sampled_from(["/", "/", "/a", "/{base}"]))
    return Facts(
        service="forge", title="Forge", source="by hand", date="2026-01-01", licence="MIT",
        sections=(Section(hosts=(HOST,), base=base, operations=made),),
    )  # fmt: skip


loose = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=7)


@st.composite
def paths(draw: st.DrawFn, made: Facts) -> tuple[str, ...]:
    """Nearly always one that fits some template, but for a change here or there."""
    section = made.sections[0]
    operation = draw(st.sampled_from(section.operations))
    whole = ("" if section.base == "/" else section.base) + operation.template.partition("?")[0]
    filled = re.sub(r"\{[^}=]*=([^}]*)\}", r"\1", whole).replace("**", "{+}").replace("*", "{}")
    values = st.sampled_from(["p", "q", "r-s", "a", "b", "go", "v1", "a:go", *SEGMENTS[-4:]])
    while (hole := re.search(r"\{([*+]?)[^}]*\}", filled)) is not None:
        value = "\0".join(draw(st.lists(values, min_size=1, max_size=3))) if hole[1] == "+" else draw(values)
        filled = filled[: hole.start()] + value.replace("/", "\1").replace("{", "\2") + filled[hole.end() :]
    segments = [part.replace("\1", "/").replace("\2", "{") for part in filled[1:].replace("\0", "/").split("/")]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        segments[draw(st.integers(0, len(segments) - 1))] = draw(st.sampled_from(SEGMENTS))
    return tuple(draw(st.sampled_from([segments, segments, segments, [*segments, ""], segments[:-1] or ["a"]])))


@settings(max_examples=300, deadline=None)
@given(st.data(), facts(), st.sampled_from(QUERIES), st.sampled_from([(), (b"h",), (b"h", b"i")]))
def test_the_index_finds_what_the_reference_finds(
    data: st.DataObject, made: Facts, query: str, header_names: tuple[bytes, ...]
) -> None:
    made = parse_facts(print_facts(made))
    index = BinaryIndex(build([(made, "r")]))
    for segments in data.draw(st.lists(paths(made) | paths(made) | paths(made) | loose.map(tuple), min_size=1, max_size=8)):
        for method in ("GET", "POST"):
            match = index.look_up(HOST, method, segments, query, frozenset(header_names))
            found = None if match is None else (match.operation, match.kind, match.parameters)
            assert found == catalog.look_up(made, HOST, method, segments, query, frozenset(header_names)), (
                segments,
                print_facts(made),
            )


def test_segments_whose_hashes_are_those_of_other_edges_lead_nowhere() -> None:
    """CRC-32 of one byte from one node is that of another byte from another node."""
    made = facts_of("GET /a", "GET /b", "GET /a/b", "POST /b/c", "GET /{x}/c", "GET /{x}:c", "GET /c/{+y}")
    index = BinaryIndex(build([(made, "r")]))
    characters = [chr(code) for code in range(0x21, 0x7F)]
    for segments in [(one,) for one in characters] + [(one, other) for one in characters for other in characters]:
        for method in ("GET", "POST"):
            match = index.look_up(HOST, method, segments, "", frozenset())
            found = None if match is None else (match.operation, match.kind, match.parameters)
            assert found == catalog.look_up(made, HOST, method, segments, "", frozenset())


def facts_of(*operations: str) -> Facts:
    made = tuple(Operation(method=each.split()[0], template=each.split()[1], kind=Kind.READ) for each in operations)
    return Facts(
        service="forge", title="Forge", source="by hand", date="2026-01-01", licence="MIT",
        sections=(Section(hosts=(HOST,), operations=made),),
    )  # fmt: skip
