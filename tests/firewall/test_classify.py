from dataclasses import dataclass

import pytest

from firewall.action import Classified, Kind, Risk
from firewall.classify import NAMERS, classify, submitted, wants_body
from firewall.classify.known import NOBODY
from firewall.classify.meaning import Meaning, Subject
from firewall.request import Request, parse

READ = Meaning(service="a", operation="b", kind=Kind.READ)
DELETE = Meaning(service="c", operation="d", kind=Kind.DELETE)
UNKNOWN = Classified(service="http", operation="PUT", kind=Kind.UNKNOWN, risk=Risk.CRITICAL)


def request(method: str = "GET") -> Request:
    return parse(method=method, scheme="https", host="a.test", port=443, target=b"/", headers=())


@dataclass
class Says:
    meaning: Meaning | None
    wants: bool = False

    def wants_body(self, head: Subject) -> bool:
        return self.wants

    def __call__(self, subject: Subject) -> Meaning | None:
        return self.meaning


class Breaks(Says):
    def __call__(self, subject: Subject) -> Meaning | None:
        raise RecursionError("too deep")


PASSES, KNOWS, BREAKS = Says(None), Says(READ), Breaks(None)


def test_the_first_that_knows_the_request_names_it() -> None:
    found = classify(request(), NOBODY, (PASSES, KNOWS, Says(DELETE)))
    assert (found.service, found.operation, found.kind) == ("a", "b", Kind.READ)


@pytest.mark.parametrize("namers", [(), (PASSES,), (BREAKS, KNOWS), (PASSES, BREAKS, KNOWS)])
def test_what_none_knows_or_one_fails_at_is_the_riskiest_there_is(namers: tuple[Says, ...]) -> None:
    assert classify(request("PUT"), NOBODY, namers) == UNKNOWN


def test_one_that_comes_too_late_does_no_harm() -> None:
    assert classify(request(), NOBODY, (KNOWS, BREAKS)).operation == "b"


def test_the_method_is_the_floor_of_the_kind() -> None:
    assert classify(request("POST"), NOBODY, (KNOWS,)).kind is Kind.WRITE
    lowered = Meaning(service="a", operation="b", kind=Kind.READ, lowers=True)
    assert classify(request("POST"), NOBODY, (Says(lowered),)).kind is Kind.READ


def test_a_body_is_wanted_when_one_of_them_wants_it() -> None:
    assert wants_body(request(), NOBODY, (PASSES, Says(None, wants=True)))
    assert not wants_body(request(), NOBODY, (PASSES, KNOWS))


def test_what_ships_knows_every_request() -> None:
    assert [classify(request(method), NOBODY, NAMERS).kind for method in ("GET", "POST", "BREW")] == [
        Kind.READ, Kind.WRITE, Kind.UNKNOWN,
    ]  # fmt: skip


def test_a_submitted_action_keeps_its_words_and_is_of_unknown_kind() -> None:
    found = submitted("crm", "contacts/merge")
    assert found == Classified(service="crm", operation="contacts/merge", kind=Kind.UNKNOWN, risk=Risk.CRITICAL)
