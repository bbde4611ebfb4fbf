"""Submitted actions: bounded, exact, and no field more."""

from typing import Any

import pytest
from pydantic import ValidationError

from control_api.models import ActionQuery, Submission, Wait


def wrong(model: Any, **given: object) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return {str(each["loc"][0]) for each in caught.value.errors()}


def test_a_submission_is_a_tool_an_operation_and_what_it_is_given() -> None:
    given = Submission.model_validate({"tool": "files", "operation": "write", "params": {"to": ["a", 1, None]}})
    assert (given.tool, given.operation, given.params, given.idempotency_key) == ("files", "write", {"to": ["a", 1, None]}, None)
    assert Submission.model_validate({"tool": "files", "operation": "write"}).params == {}


def test_what_is_missing_wrong_or_unknown_is_named() -> None:
    assert wrong(Submission) == {"tool", "operation"}
    assert wrong(Submission, tool="files", operation="write", agent="another", risk="low") == {"agent", "risk"}
    assert wrong(Submission, tool="Files", operation="wri te", params=[]) == {"tool", "operation", "params"}


def test_a_tool_cannot_be_spelt_so_that_it_reads_as_another_ones_operation() -> None:
    assert wrong(Submission, tool="aws:s3", operation="PutObject") == {"tool"}


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "é", "x" * 256])
def test_an_idempotency_key_is_visible_ascii_and_bounded(key: str) -> None:
    assert wrong(Submission, tool="files", operation="read", idempotency_key=key) == {"idempotency_key"}


@pytest.mark.parametrize("wait", ["-1", "60.1", "nan", "inf", "-inf", "soon", ""])
def test_nobody_waits_for_ever(wait: str) -> None:
    assert wrong(Wait, wait=wait) == {"wait"}


@pytest.mark.parametrize(("wait", "seconds"), [("0", 0.0), ("60", 60.0), ("1.5", 1.5)])
def test_a_wait_is_a_number_of_seconds(wait: str, seconds: float) -> None:
    assert Wait.model_validate({"wait": wait}).wait == seconds


def test_an_effect_or_a_source_that_does_not_exist_finds_no_list_but_an_error() -> None:
    assert wrong(ActionQuery, effect="allowed", source="cli", agents="bot") == {"effect", "source", "agents"}
