"""Votes carry words, and lists are asked for by a state that exists."""

import pytest
from pydantic import ValidationError

from control_api.models import ApprovalDetailShown, ApprovalQuery, ApprovalShown, Approve, Deny
from firewall.approval import Approval, State


@pytest.mark.parametrize("model", [Approve, Deny])
def test_a_vote_needs_no_words(model: type[Approve] | type[Deny]) -> None:
    assert set(model().model_dump().values()) == {""}


@pytest.mark.parametrize(("model", "field"), [(Approve, "comment"), (Deny, "reason")])
def test_words_are_bounded(model: type[Approve] | type[Deny], field: str) -> None:
    assert len(model.model_validate({field: "x" * 4000}).model_dump()[field]) == 4000
    with pytest.raises(ValidationError, match="at most 4000 characters"):
        model.model_validate({field: "x" * 4001})


@pytest.mark.parametrize(("model", "field"), [(Approve, "reason"), (Deny, "comment"), (Approve, "quorum")])
def test_a_field_of_the_other_vote_is_an_error_and_not_lost(model: type[Approve] | type[Deny], field: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model.model_validate({field: "x"})


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_asked_for(state: State) -> None:
    assert ApprovalQuery.model_validate({"status": state.value}).status is state


def test_a_state_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValidationError, match="Input should be 'pending'"):
        ApprovalQuery.model_validate({"status": "open"})


def test_what_is_shown_is_what_there_is_and_nothing_is_left_out() -> None:
    shown = set(ApprovalShown.model_fields)
    there = set(Approval.__dataclass_fields__)
    assert shown - there == {"status", "title", "sentence", "quorum", "approvers"}
    assert there - shown == {"state", "terms"}


def test_one_approval_shows_what_is_asked_and_who_voted_besides() -> None:
    assert set(ApprovalDetailShown.model_fields) - set(ApprovalShown.model_fields) == {"card", "summary", "votes"}
