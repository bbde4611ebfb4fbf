import inspect
import json

import pytest

from firewall import errors
from firewall.errors import (
    ClientLeft,
    Defect,
    DeniedByPolicy,
    LedgerUnavailable,
    Malformed,
    Pending,
    Refused,
    TooManyHolds,
    Unidentified,
)
from firewall.ids import ActionId, ApprovalId
from firewall.problem import problem

ACTION = ActionId("act_1")
EVERY = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, Refused)]


def made(found: type[Refused]) -> Refused:
    return found("because", approval_id=ApprovalId("apr_1")) if issubclass(found, Pending) else found("because")


def test_a_denial_is_told_with_its_reason_and_its_rules() -> None:
    document = problem(DeniedByPolicy("no rule allows this", rules=("a", "b"), revision="sha256:r"), ACTION)
    assert document.status == 403
    assert document.body == {
        "type": "urn:aaf:problem:policy",
        "title": "Denied by policy",
        "status": 403,
        "detail": "no rule allows this",
        "rules": ["a", "b"],
        "action_id": "act_1",
    }
    assert document.headers == {
        "Content-Type": "application/problem+json",
        "X-AAF-Decision": "deny",
        "X-AAF-Action": "act_1",
        "Cache-Control": "no-store",
    }


def test_what_is_held_says_pending_names_its_approval_and_when_to_come_back() -> None:
    document = problem(Pending("wait", approval_id=ApprovalId("apr_1")), ACTION)
    assert document.status == 503
    assert (document.body["status"], document.body["approval_id"]) == ("pending", "apr_1")
    assert (document.headers["X-AAF-Decision"], document.headers["Retry-After"]) == ("pending", "5")
    assert problem(ClientLeft("gone", approval_id=ApprovalId("apr_2"))).body["approval_id"] == "apr_2"


def test_without_an_action_none_is_named() -> None:
    document = problem(Malformed("no"))
    assert "action_id" not in document.body
    assert "X-AAF-Action" not in document.headers


def test_only_who_has_not_said_who_he_is_gets_asked() -> None:
    assert problem(Unidentified("who?")).headers["Proxy-Authenticate"] == 'Basic realm="aaf"'
    assert [found for found in EVERY if "Proxy-Authenticate" in problem(made(found)).headers] == [Unidentified]


@pytest.mark.parametrize(("error", "seconds"), [(TooManyHolds("x"), "5"), (LedgerUnavailable("x"), "1"), (Defect("x"), "1")])
def test_who_may_come_back_is_told_when(error: Refused, seconds: str) -> None:
    assert problem(error, ACTION).headers["Retry-After"] == seconds


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.__name__)
def test_every_end_has_the_one_shape(found: type[Refused]) -> None:
    document = problem(made(found), ACTION)
    assert set(document.body) - {"approval_id"} == {"type", "title", "status", "detail", "rules", "action_id"}
    assert document.body["type"] == f"urn:aaf:problem:{found.code}"
    assert document.body["status"] == ("pending" if issubclass(found, Pending) else document.status)
    assert document.headers["X-AAF-Decision"] == found.decision
    assert ("Retry-After" in document.headers) is (found.retry_after is not None)
    assert json.loads(json.dumps(dict(document.body))) == document.body
    assert all(value.isascii() and value.isprintable() for value in document.headers.values())


def test_what_the_agent_sent_stays_out_of_the_header_fields() -> None:
    document = problem(Malformed("a\r\nX-Evil: 1"), ACTION)
    assert document.body["detail"] == "a\r\nX-Evil: 1"
    assert "X-Evil" not in json.dumps(dict(document.headers))
