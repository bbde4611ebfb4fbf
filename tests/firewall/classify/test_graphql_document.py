import pytest

from firewall.action import Kind
from firewall.classify.content_type import Unreadable
from firewall.classify.graphql_document import CACHED, LENGTH, Operation, read_document


def test_every_operation_is_read_in_its_order() -> None:
    assert read_document("query A { b a } mutation { c }") == (
        Operation(type="query", name="A", fields=("a", "b")),
        Operation(type="mutation", name="", fields=("c",)),
    )


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("{ viewer { id } }", Kind.READ),
        ("{ executeSql { id } }", Kind.EXECUTE),
        ("mutation { viewer { id } }", Kind.WRITE),
        ("mutation { removeStar { id } }", Kind.DELETE),
        ("subscription { added { id } }", Kind.READ),
    ],
)
def test_the_type_and_the_verbs_say_what_it_does(document: str, kind: Kind) -> None:
    assert read_document(document)[0].kind is kind


def test_long_documents_are_read_and_too_long_ones_refused() -> None:
    assert read_document('{ a(x: "' + "x" * CACHED + '") }')[0].fields == ("a",)
    for document in ('{ a(x: "' + "x" * LENGTH + '") }', "#\n" * 2000 + "{ a }", ""):
        with pytest.raises(Unreadable):
            read_document(document)
