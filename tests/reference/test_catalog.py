"""The index agrees with the slow reference, on catalogs and paths that are made to be confusing."""

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
NEEDS = ["", "", "", "?acl", "?x", "?x=1", "?x=2", "?acl&x=1"]


@st.composite
def templates(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(LITERALS + HOLES), min_size=1, max_size=5))
    path = "/" + "/".join(part.replace("N", f"n{i}").replace("M", f"m{i}") for i, part in enumerate(parts))
    return path + draw(st.sampled_from(["", "", "/"])) + draw(st.sampled_from(NEEDS))


@st.composite
def operations(draw: st.DrawFn, number: int) -> Operation:
    return Operation(
        method=draw(st.sampled_from(["GET", "GET", "POST"])),
        template=draw(templates()),
        kind=draw(st.sampled_from(list(Kind))),
        operation=draw(st.sampled_from(["", f"op{number:02}"])),
        headers=draw(st.sampled_from([(), (), (), ("h",), ("h", "i")])),
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


paths = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=7).flatmap(
    lambda segments: st.sampled_from([tuple(segments), (*segments, "")])
)


@settings(max_examples=400, deadline=None)
@given(
    facts(), st.lists(paths, min_size=1, max_size=12), st.sampled_from(["GET", "POST", "PUT"]), st.sampled_from(QUERIES),
    st.sampled_from([frozenset(), frozenset({b"h"}), frozenset({b"h", b"i"})]),
)  # fmt: skip
def test_the_index_finds_what_the_reference_finds(
    made: Facts, asked: list[tuple[str, ...]], method: str, query: str, header_names: frozenset[bytes]
) -> None:
    made = parse_facts(print_facts(made))
    index = BinaryIndex(build([(made, "r")]))
    for segments in asked:
        match = index.look_up(HOST, method, segments, query, header_names)
        found = None if match is None else (match.operation, match.kind, match.parameters)
        assert found == catalog.look_up(made, HOST, method, segments, query, header_names), (segments, print_facts(made))
