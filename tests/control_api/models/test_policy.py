"""A document to check is text, bounded; what is wrong with it has a line."""

import pytest
from pydantic import ValidationError

from control_api.body import BODY_BYTES
from control_api.models import PolicyChecked, PolicyDocument, PolicyProblem, PolicyShown

LONGEST = 1 << 19


def test_a_document_is_bounded_before_anything_reads_it() -> None:
    assert len(PolicyDocument.model_validate({"document": "x" * LONGEST}).document) == LONGEST
    with pytest.raises(ValidationError, match=f"at most {LONGEST} characters"):
        PolicyDocument.model_validate({"document": "x" * (LONGEST + 1)})


def test_the_longest_document_of_plain_lines_fits_into_a_body() -> None:
    line = "  - id: a-rule-as-any\\n"
    assert len(line * (LONGEST // (len(line) - 1))) < BODY_BYTES


@pytest.mark.parametrize("document", [None, 7, ["version: 1"], {"version": 1}])
def test_a_document_is_text_and_not_what_it_spells(document: object) -> None:
    with pytest.raises(ValidationError, match="valid string"):
        PolicyDocument.model_validate({"document": document})


def test_a_check_activates_nothing_so_nothing_else_can_be_asked_of_it() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        PolicyDocument.model_validate({"document": "version: 1", "activate": True})


def test_every_problem_has_a_line_and_words() -> None:
    assert all(field.is_required() for field in PolicyProblem.model_fields.values())
    assert set(PolicyProblem.model_fields) == {"line", "path", "message"}


def test_an_answer_always_says_whether_it_is_valid_and_what_is_wrong() -> None:
    assert all(field.is_required() for model in (PolicyChecked, PolicyShown) for field in model.model_fields.values())
