"""A dialect asks before it renames what a vendor has named."""

from firewall.classify.described import described
from firewall.classify.known import NOBODY, Known
from firewall.classify.meaning import Subject
from firewall.request import parse
from tests.firewall.classify.vectors import Described

REQUEST = parse(method="GET", scheme="https", host="a.test", port=443, target=b"/a", headers=[])


def test_a_request_is_described_by_either_sort_of_catalog() -> None:
    assert described(Subject(REQUEST, Known(shipped=Described())))
    assert described(Subject(REQUEST, Known(users=Described())))


def test_a_request_is_described_where_the_operator_says_that_the_service_is() -> None:
    class Operators(Described):
        def knows(self, place: str) -> bool:
            return place == "github.self.invalid"

    named = Known(shipped=Operators(), speakers={"github": ("a.test",)})
    assert described(Subject(REQUEST, named))
    assert not described(Subject(REQUEST, Known(shipped=Operators(), speakers={"github": ("b.test",)})))


def test_nobody_describes_what_no_catalog_knows() -> None:
    assert not described(Subject(REQUEST, NOBODY))
