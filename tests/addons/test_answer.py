import json

import pytest

from addons.answer import answer
from firewall.errors import DeniedByPolicy, Pending, Unidentified
from firewall.ids import ActionId, ApprovalId

ACTION = ActionId("act_" + "1" * 32)


def test_a_denial_says_why_and_by_which_rules() -> None:
    made = answer(DeniedByPolicy("Nobody goes there", rules=("closed",)), ACTION)
    body = json.loads(made.raw_content or b"")
    assert (made.status_code, body["detail"], body["rules"], body["action_id"]) == (403, "Nobody goes there", ["closed"], ACTION)
    assert (made.headers["X-AAF-Decision"], made.headers["X-AAF-Action"]) == ("deny", ACTION)


def test_the_reason_phrase_carries_rule_and_action_for_clients_that_lose_the_body() -> None:
    assert answer(DeniedByPolicy("no", rules=("closed",)), ACTION).reason == f"Denied by policy; rule closed; {ACTION}"


@pytest.mark.parametrize(
    ("rule", "said"), [("naïve", "na?ve"), ("a\r\nX-AAF-Decision: allow", "a??X-AAF-Decision: allow"), ("a\x00", "a?")]
)
def test_a_rule_name_cannot_split_the_head(rule: str, said: str) -> None:
    made = answer(DeniedByPolicy("no", rules=(rule,)), ACTION)
    assert made.reason == f"Denied by policy; rule {said}; {ACTION}"


def test_what_was_not_identified_names_no_action() -> None:
    made = answer(Unidentified("who?"), None)
    assert made.headers["Proxy-Authenticate"] == 'Basic realm="aaf"'
    assert "X-AAF-Action" not in made.headers
    assert "action_id" not in json.loads(made.raw_content or b"")


def test_what_is_held_says_when_to_come_again() -> None:
    made = answer(Pending("wait", approval_id=ApprovalId("apr_" + "2" * 32)), ACTION)
    assert (made.status_code, made.headers["Retry-After"], made.headers["X-AAF-Decision"]) == (503, "5", "pending")


def test_an_answer_may_be_the_last_on_its_connection() -> None:
    assert answer(Unidentified("who?"), None, close=True).headers["Connection"] == "close"
    assert "Connection" not in answer(Unidentified("who?"), None).headers
