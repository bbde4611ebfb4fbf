from firewall.classify.catalog.build import build
from firewall.classify.catalog.head import arrays_of
from firewall.classify.catalog.index import BinaryIndex
from tests.firewall.classify.catalog.made import facts

LINES = ["op GET /x/{y} read x/get", "op PUT /x/{y}/z write z/put"]


def test_the_same_facts_make_the_same_bytes() -> None:
    made = facts("at a.test /", *LINES)
    assert build([(made, "r")]) == build([(made, "r")])
    assert build([(made, "r")]) != build([(made, "s")])


def nodes(*lines: str) -> int:
    return len(arrays_of(build([(facts(*lines), "r")]))["nodes"])


def test_hosts_with_the_same_operations_share_one_tree() -> None:
    assert nodes("at a.test,b.test,c.test /", *LINES) == nodes("at a.test /", *LINES)


def test_no_two_edges_have_one_key() -> None:
    made = facts("at a.test /", *(f"op GET /{a}/{b} read {a}{b}" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"))
    edges = [edge for edge in arrays_of(build([(made, "r")]))["edges"].cast("Q") if edge]
    assert len({edge >> 32 for edge in edges}) == len(edges)
    index = BinaryIndex(build([(made, "r")]))
    for a in "abcdefghijklmnop":
        for b in "abcdefghijklmnop":
            match = index.look_up("a.test", "GET", (a, b), "", frozenset())
            assert match is not None
            assert match.operation == a + b


def test_the_table_is_at_most_half_full() -> None:
    for count in (1, 3, 7, 60):
        made = facts("at a.test /", *(f"op GET /x{i} read x{i}" for i in range(count)))
        table = arrays_of(build([(made, "r")]))["edges"].cast("Q")
        assert 2 * sum(1 for edge in table if edge) <= len(table)


def test_no_catalog_at_all_is_built_too() -> None:
    assert not BinaryIndex(build([])).knows("a.test")
