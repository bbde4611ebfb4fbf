"""What the command line says of actions and approvals reads like sentences, and is what docs/reading.md shows."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.reading import action_lines, approval_line, approval_page, moment, outcome, state

ROOT = Path(__file__).parents[2]
RUN: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "reading.json").read_text())
NOW = datetime.fromisoformat(RUN["now"])
DOCUMENT = (ROOT / "docs" / "reading.md").read_text()
PICTURES = dict(re.findall(r"^\$ (aaf [^\n]*)\n(.*?)\n(?=\$ |```)", DOCUMENT, re.MULTILINE | re.DOTALL))
HELD = RUN["git"]


def shown(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines)


def test_the_document_shows_what_a_list_of_actions_looks_like() -> None:
    assert shown(list(action_lines(RUN["actions"], NOW))) == PICTURES["aaf actions list"]


def test_the_document_shows_what_a_list_of_approvals_looks_like() -> None:
    assert shown([approval_line(each, NOW) for each in RUN["approvals"]]) == PICTURES["aaf approvals list"]


@pytest.mark.parametrize("which", ["git", "issue"])
def test_the_document_shows_what_an_approval_looks_like(which: str) -> None:
    found = RUN[which]
    assert shown(list(approval_page(found, NOW))) == PICTURES[f"aaf approvals show {found['id']}"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"decision": "allow", "status": 200}, "allowed, answered 200"),
        ({"decision": "allow", "status": 201, "approval_id": "apr_1"}, "approved, answered 201"),
        ({"decision": "allow", "outcome": "upstream-unreachable"}, "allowed, upstream-unreachable"),
        ({"decision": "allow"}, "allowed"),
        ({"decision": "pending", "approval_state": "pending"}, "held, waiting"),
        ({"decision": "pending", "approval_state": "denied"}, "held, denied"),
        ({"decision": "deny", "code": "policy"}, "denied by policy"),
        ({"decision": "deny", "code": "approver"}, "denied by an approver"),
        ({"decision": "deny", "code": "expired"}, "expired, nobody decided"),
        ({"decision": "deny", "code": "else"}, "denied (else)"),
        ({"decision": "deny"}, "denied"),
        ({"decision": "error", "code": "malformed"}, "refused (malformed)"),
    ],
)
def test_an_outcome_is_said_in_words(given: dict[str, Any], said: str) -> None:
    nothing = dict.fromkeys(("status", "outcome", "approval_id", "approval_state", "code"))
    assert outcome({**nothing, **given}) == said


def test_a_decision_names_who_made_it() -> None:
    assert state({"status": "denied", "decided_by": "Ann"}) == "denied by Ann"
    assert state({"status": "approved", "decided_by": "Ann"}) == "approved by Ann, not used yet"
    assert state({"status": "pending", "decided_by": None}) == "waiting"


def test_an_approval_whose_card_cannot_be_opened_still_says_what_is_known() -> None:
    page = shown(list(approval_page({**HELD, "card": None, "summary": None}, NOW)))
    assert "Name    git:push" in page
    assert HELD["reason"] in page


def test_a_moment_of_another_day_has_its_date() -> None:
    assert moment("2026-11-25T11:03:00+00:00", datetime.fromisoformat("2026-11-25T23:00:00+01:00")) == "12:03"
    assert moment("2026-11-24T11:03:00+00:00", datetime.fromisoformat("2026-11-25T23:00:00+01:00")) == "2026-11-24 12:03"


@given(st.text(max_size=50))
def test_nothing_that_people_wrote_moves_the_terminal(text: str) -> None:
    vote = {"voter": text, "choice": "approve", "comment": text, "at": HELD["requested_at"]}
    lines = list(approval_page({**HELD, "votes": [vote], "reason": text, "rules": [text], "decided_by": text}, NOW))
    assert [character for line in lines for character in line if not character.isprintable()] == []
