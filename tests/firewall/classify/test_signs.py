import pytest

from firewall.action import Kind
from firewall.classify.known import NOBODY
from firewall.classify.meaning import Subject
from firewall.classify.signs import OVERRIDES, signs
from firewall.request import parse


@pytest.mark.parametrize("name", sorted(OVERRIDES))
def test_an_override_raises_the_kind(name: bytes) -> None:
    request = parse(method="GET", scheme="https", host="a.test", port=443, target=b"/", headers=((name, b"DELETE"),))
    assert signs(Subject(request, NOBODY)).kind is Kind.DELETE


def test_nothing_odd_is_no_sign() -> None:
    request = parse(method="DELETE", scheme="https", host="a.test", port=443, target=b"/", headers=())
    assert signs(Subject(request, NOBODY)).kind is Kind.READ
