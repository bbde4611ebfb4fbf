import inspect

import pytest

from firewall import errors
from firewall.errors import ClientLeft, Pending, Refused
from firewall.ids import ApprovalId

EVERY = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, Refused)]
ENDS = [found for found in EVERY if found is not Refused]

CONTRACT = {
    "malformed": (400, "error"),
    "target-too-long": (414, "error"),
    "misdirected": (421, "error"),
    "head-too-large": (431, "error"),
    "body-too-large": (413, "error"),
    "unidentified": (407, "error"),
    "agent-disabled": (403, "deny"),
    "policy": (403, "deny"),
    "approver": (403, "deny"),
    "address": (403, "deny"),
    "expired": (403, "deny"),
    "pending": (503, "pending"),
    "client-left": (503, "pending"),
    "engine-unavailable": (503, "error"),
    "ledger-unavailable": (503, "error"),
    "defect": (503, "error"),
    "draining": (503, "error"),
    "holds-full": (503, "error"),
    "too-many-connections": (429, "error"),
    "too-many-holds": (429, "error"),
    "not-resolved": (502, "error"),
    "upstream-unreachable": (502, "error"),
    "upgrade": (502, "error"),
    "upstream-timeout": (504, "error"),
    "abandoned": (499, "error"),
}
"""CONTRACT, "The agent's side". 499 is for the chain: nobody is left to read it."""


def test_every_end_has_the_status_and_the_decision_of_the_contract() -> None:
    assert {found.code: (found.status, found.decision) for found in ENDS} == CONTRACT


def test_every_end_has_a_code_of_its_own() -> None:
    assert len({found.code for found in EVERY}) == len(EVERY)


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.__name__)
def test_every_end_says_in_its_own_words_what_happened(found: type[Refused]) -> None:
    assert "__doc__" in vars(found)
    title = found.title()
    assert title[0].isupper()
    assert not title.endswith(".")
    assert "\n" not in title
    assert [other for other in EVERY if other.title() == title] == [found]


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.__name__)
def test_what_the_agent_hears_is_what_the_chain_says(found: type[Refused]) -> None:
    assert found.decision == found.effect
    assert found.decision in {"deny", "pending", "error"}
    assert (found.decision == "deny") is (found.status == 403)


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.__name__)
def test_who_may_come_back_is_told_when_and_nobody_else_is(found: type[Refused]) -> None:
    assert (found.retry_after is not None) is (found.status in {429, 503})
    assert found.retry_after is None or found.retry_after > 0


@pytest.mark.parametrize("found", [end for end in ENDS if not issubclass(end, Pending)], ids=lambda found: found.__name__)
def test_it_carries_its_reason_its_rules_and_the_revision(found: type[Refused]) -> None:
    error = found("because", rules=("a", "b"), revision="sha256:r")
    assert (str(error), error.detail, error.rules, error.revision) == ("because", "because", ("a", "b"), "sha256:r")
    assert (found("because").rules, found("because").revision) == ((), "")


@pytest.mark.parametrize("found", [Pending, ClientLeft])
def test_what_is_held_names_its_approval(found: type[Pending]) -> None:
    error = found("wait", approval_id=ApprovalId("apr_1"), rules=("a",), revision="sha256:r")
    assert (error.detail, error.approval_id, error.rules, error.revision) == ("wait", "apr_1", ("a",), "sha256:r")


def test_a_reason_is_never_left_out() -> None:
    with pytest.raises(TypeError, match="detail"):
        Refused()  # type: ignore[call-arg]
