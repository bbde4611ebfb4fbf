from firewall.action import Kind
from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, Operation, Section
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.together import PLACES, Together
from firewall.classify.known import Match


def index(service: str, host: str, kind: Kind, template: str = "/a/{id}") -> BinaryIndex:
    operation = Operation(method="POST", template=template, kind=kind, operation=f"{service}.do")
    facts = Facts(
        service=service, title="t", source="s", date="2026-01-01", licence="l",
        sections=(Section(hosts=(host,), operations=(operation,)),),
    )  # fmt: skip
    return BinaryIndex(build([(facts, "1")]))


def found(of: Together, host: str, segments: tuple[str, ...] = ("a", "1")) -> Match | None:
    return of.look_up(host, "POST", segments, "", frozenset())


BOTH = Together((index("one", "x.test", Kind.WRITE), index("two", "*.test", Kind.DELETE)))


def test_each_is_asked_of_its_own_hosts() -> None:
    assert BOTH.knows("x.test")
    assert BOTH.knows("y.test")
    assert not BOTH.knows("x.example")
    only = found(BOTH, "y.test")
    assert only is not None
    assert (only.service, only.operation, only.parameters) == ("two", "two.do", {"id": "1"})
    assert found(BOTH, "x.example") is None
    assert found(BOTH, "x.test", ("b",)) is None


def test_of_two_the_first_names_it_and_the_strictest_says_its_kind() -> None:
    match = found(BOTH, "x.test")
    assert match is not None
    assert (match.service, match.kind) == ("one", Kind.DELETE)


def test_none_at_all_knows_nothing() -> None:
    assert not Together(()).knows("x.test")
    assert found(Together(()), "x.test") is None


def test_places_are_remembered_within_bounds() -> None:
    for number in range(PLACES + 10):
        assert found(BOTH, f"h{number}.example") is None
    assert len(BOTH._at) <= PLACES
    assert found(BOTH, "x.test") is not None
