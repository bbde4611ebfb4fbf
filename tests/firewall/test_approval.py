"""The state machine as transcripts: what an approval is at each instant, and what it still answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.approval import QUIET_AFTER_REFUSAL, TRANSITIONS, Approval, State, grant_until
from firewall.ids import ActionId, AgentId, ApprovalId
from firewall.verdict import Terms

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR, MINUTE, INSTANT = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)
LAST = START + 24 * HOUR


def asked(state: State = State.PENDING) -> Approval:
    """Asked at START, for a day."""
    return Approval(
        id=ApprovalId("apr_1"),
        state=state,
        digest="sha256:00",
        agent="build-bot",
        agent_id=AgentId("agt_1"),
        action_id=ActionId("act_1"),
        name="http:POST",
        kind="write",
        risk="high",
        method="POST",
        host="api.test",
        reason="writes are held",
        rules=("r",),
        revision="sha256:r",
        terms=Terms(),
        requested_at=START,
        expires_at=LAST,
    )


def decided(state: State, at: datetime) -> Approval:
    until = grant_until(Terms(), LAST, at) if state is State.APPROVED else None
    return replace(asked(state), decided_at=at, decided_by="ann", grant_until=until)


def transcript(approval: Approval, *instants: datetime) -> str:
    """`state`, and `!` where the same digest is answered with a refusal."""
    return " ".join(approval.state_at(now) + ("!" if approval.refuses_at(now) else "") for now in instants)


def around(instant: datetime) -> tuple[datetime, datetime]:
    return instant - INSTANT, instant


def test_a_question_ends_when_it_expires_and_answers_for_ten_minutes_more() -> None:
    assert transcript(asked(), START, *around(LAST)) == "pending pending expired!"
    assert transcript(asked(), *around(LAST + 10 * MINUTE)) == "expired! expired"


def test_a_grant_ends_an_hour_after_the_approval_and_answers_for_ten_minutes_more() -> None:
    granted = decided(State.APPROVED, START + 2 * HOUR)
    assert transcript(granted, START + 2 * HOUR, *around(START + 3 * HOUR)) == "approved approved expired!"
    assert transcript(granted, *around(START + 3 * HOUR + 10 * MINUTE)) == "expired! expired"


def test_a_grant_never_outlives_its_question() -> None:
    granted = decided(State.APPROVED, LAST - MINUTE)
    assert granted.grant_until == LAST
    assert transcript(granted, *around(LAST)) == "approved expired!"


def test_a_grant_without_an_end_of_its_own_ends_with_its_question() -> None:
    granted = replace(asked(State.APPROVED), decided_at=START, grant_until=None)
    assert transcript(granted, *around(LAST)) == "approved expired!"


def test_a_denial_answers_for_ten_minutes_from_the_decision() -> None:
    denied = decided(State.DENIED, START + HOUR)
    assert transcript(denied, START + HOUR, *around(START + HOUR + 10 * MINUTE), LAST) == "denied! denied! denied denied"


def test_a_denial_that_names_no_time_answers_nothing() -> None:
    assert transcript(asked(State.DENIED), START, LAST) == "denied denied"


@pytest.mark.parametrize("state", [State.SPENT, State.CANCELLED])
def test_what_is_spent_or_cancelled_stays_so_and_refuses_nobody(state: State) -> None:
    assert transcript(decided(state, START), START, LAST, LAST + HOUR) == f"{state} {state} {state}"


def test_an_expiry_that_was_written_down_answers_from_when_the_time_had_come() -> None:
    assert transcript(asked(State.EXPIRED), *around(LAST + QUIET_AFTER_REFUSAL)) == "expired! expired"
    granted = replace(decided(State.APPROVED, START), state=State.EXPIRED)
    assert transcript(granted, *around(START + HOUR + QUIET_AFTER_REFUSAL)) == "expired! expired"


def test_states_change_only_as_the_semantics_say() -> None:
    assert {state.value: sorted(after) for state, after in TRANSITIONS.items()} == {
        "pending": ["approved", "cancelled", "denied", "expired"],
        "approved": ["cancelled", "expired", "spent"],
        "spent": [],
        "denied": [],
        "expired": [],
        "cancelled": [],
    }


def test_a_grant_lasts_as_long_as_its_terms_say() -> None:
    assert grant_until(Terms(grant_for=60), LAST, START) == START + MINUTE
    assert grant_until(Terms(grant_for=86_400 * 2), LAST, START) == LAST


TIMES = st.timedeltas(-HOUR, 30 * HOUR).map(lambda after: START + after)


@given(st.sampled_from(State), st.none() | TIMES, st.none() | TIMES, TIMES, TIMES)
def test_time_changes_a_state_only_as_a_transition_may_and_never_back(
    state: State, until: datetime | None, at: datetime | None, one: datetime, other: datetime
) -> None:
    approval = replace(asked(state), grant_until=until, decided_at=at)
    before, after = (approval.state_at(now) for now in sorted([one, other]))
    assert before is state or before in TRANSITIONS[state]
    assert after is before or after in TRANSITIONS[before]
    assert not approval.refuses_at(one) or approval.state_at(one) in {State.DENIED, State.EXPIRED}
