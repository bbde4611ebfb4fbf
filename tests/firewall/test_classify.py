import pytest

from firewall.action import Classified, Kind, Risk
from firewall.classify import CLASSIFIERS, classify, submitted
from firewall.request import Request, parse

READ = Classified(service="a", operation="b", kind=Kind.READ, risk=Risk.LOW)


def request(method: str = "GET") -> Request:
    return parse(method=method, scheme="https", host="a.test", port=443, target=b"/", headers=())


def knows(_request: Request) -> Classified | None:
    return READ


def passes(_request: Request) -> Classified | None:
    return None


def breaks(_request: Request) -> Classified | None:
    raise RecursionError("too deep")


def test_the_first_that_knows_the_request_wins() -> None:
    other = Classified(service="c", operation="d", kind=Kind.DELETE, risk=Risk.HIGH)
    assert classify(request(), (passes, knows, lambda _: other)) is READ


@pytest.mark.parametrize("classifiers", [(), (passes,), (breaks, knows), (passes, breaks, knows)])
def test_what_none_knows_or_one_fails_at_is_the_riskiest_there_is(classifiers: tuple[object, ...]) -> None:
    found = classify(request("PUT"), classifiers)  # type: ignore[arg-type]
    assert found == Classified(service="http", operation="PUT", kind=Kind.UNKNOWN, risk=Risk.CRITICAL)


def test_one_that_comes_too_late_does_no_harm() -> None:
    assert classify(request(), (knows, breaks)) is READ


def test_what_ships_knows_every_request() -> None:
    assert [classify(request(method), CLASSIFIERS).kind for method in ("GET", "POST", "BREW")] == [
        Kind.READ, Kind.WRITE, Kind.UNKNOWN,
    ]  # fmt: skip


def test_a_submitted_action_keeps_its_words_and_is_of_unknown_kind() -> None:
    found = submitted("crm", "contacts/merge")
    assert found == Classified(service="crm", operation="contacts/merge", kind=Kind.UNKNOWN, risk=Risk.CRITICAL)
