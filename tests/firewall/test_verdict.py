from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from firewall.verdict import NOT_DECIDED, Allow, Deny, Hold, Terms, Verdict

EVERY = (Allow(reason="r", rules=(), revision=""), Hold(reason="r", rules=(), revision=""), Deny(reason="r"), NOT_DECIDED)


def test_a_verdict_is_one_of_three() -> None:
    assert set(get_args(Verdict)) == {Allow, Hold, Deny}


def test_what_is_not_decided_is_denied_and_says_so() -> None:
    assert isinstance(NOT_DECIDED, Deny)
    assert (NOT_DECIDED.reason, NOT_DECIDED.rules, NOT_DECIDED.revision) == ("not decided", (), "")


@pytest.mark.parametrize("verdict", EVERY, ids=repr)
def test_no_verdict_is_falsy_so_none_can_be_mistaken_for_another(verdict: Verdict) -> None:
    assert verdict
    assert [other for other in EVERY if type(other) is not type(verdict) and other == verdict] == []


@pytest.mark.parametrize("kind", get_args(Verdict))
def test_every_verdict_needs_a_reason(kind: type[Verdict]) -> None:
    with pytest.raises(TypeError, match="reason"):
        kind(rules=(), revision="")  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", [Allow, Hold])
def test_what_lets_through_names_its_rules_and_its_policy(kind: type[Allow | Hold]) -> None:
    with pytest.raises(TypeError, match="'rules' and 'revision'"):
        kind(reason="r")  # type: ignore[call-arg]


@pytest.mark.parametrize("verdict", EVERY, ids=repr)
def test_a_verdict_is_not_changed_once_it_is_made(verdict: Verdict) -> None:
    for field in fields(verdict):
        with pytest.raises(FrozenInstanceError):
            setattr(verdict, field.name, None)


def test_a_hold_asks_on_the_terms_of_the_semantics_unless_a_rule_says_otherwise() -> None:
    assert Hold(reason="r", rules=(), revision="").terms == Terms()
    terms = Terms()
    assert (terms.quorum, terms.approvers, terms.expires_in, terms.grant_for) == (1, ("role:approver",), 24 * 3600, 3600)
