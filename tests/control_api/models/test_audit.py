"""Entries are asked for within the numbers that an entry can have, and shown as they were hashed."""

import pytest
from pydantic import ValidationError

from control_api.models import EntryQuery, EntryShown, Verified


@pytest.mark.parametrize("seq", ["-1", str(1 << 53), "x", "1.5", "9" * 5000])
def test_a_position_is_a_number_that_an_entry_can_have(seq: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EntryQuery.model_validate({"from_seq": seq})
    assert [each["loc"] for each in caught.value.errors()] == [("from_seq",)]


def test_without_a_filter_the_list_is_of_everything() -> None:
    query = EntryQuery.model_validate({})
    assert (query.from_seq, query.event, query.agent, query.action_id) == (0, None, None, None)
    assert EntryQuery.model_validate({"from_seq": str((1 << 53) - 1)}).from_seq == (1 << 53) - 1


@pytest.mark.parametrize("field", ["event", "agent", "action_id"])
@pytest.mark.parametrize("text", ["", "x" * 257])
def test_a_filter_is_neither_empty_nor_endless(field: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EntryQuery.model_validate({field: text})
    assert [each["loc"] for each in caught.value.errors()] == [(field,)]


def test_a_body_that_is_no_json_any_more_is_shown_all_the_same() -> None:
    shown = EntryShown.model_validate(
        {"seq": 0, "event": "key.created", "event_hash": "", "leaf_hash": "", "body": "{", "entry": None}
    )
    assert (shown.body, shown.entry) == ("{", None)


def test_a_verification_always_says_how_far_it_came_and_what_the_head_was() -> None:
    with pytest.raises(ValidationError) as caught:
        Verified.model_validate({"ok": True})
    assert {each["loc"][0] for each in caught.value.errors()} == {"entries", "head", "first_bad"}
