"""One request that is held, as its approval goes. The ledger answers what a test says, in that order."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from addons import hold as module
from addons.hold import Hold
from addons.passage import Passage
from addons.waiting import Woken
from addons.walk import take
from firewall.approval import Approval, State
from firewall.egress import Destinations, Route
from firewall.errors import (
    Abandoned,
    AgentDisabled,
    ApprovalExpired,
    BodyTooLarge,
    ClientLeft,
    DeniedByApprover,
    DeniedByPolicy,
    HoldsFull,
    Pending,
    Refused,
    TooManyHolds,
)
from firewall.ids import ApprovalId
from firewall.ports import Appended, Item, Lost, OpenApproval, Outcome
from firewall.request import parse
from firewall.verdict import Allow
from tests.addons.made import Made
from tests.gateway.rig import ALLOW, DENY, HOLD, until

FOUND = ApprovalId("apr_" + "f" * 32)
OPENED = Appended(seqs=(1,))


class Holding(Made):
    """`answers`: what the ledger says to each opening; after them, that it was opened."""

    def __init__(self, *answers: Outcome, **limits: Any) -> None:
        super().__init__(**limits)
        self.answers = list(answers)
        self.opened: list[OpenApproval] = []
        self.comment: str | None = None
        self.engine.verdict = HOLD
        self.resolver.routes["up.test"] = Route(addresses=("8.8.8.8",), port=80)
        self.ledger.append = self._append  # type: ignore[method-assign]
        self.approvals.get = self._get  # type: ignore[method-assign]
        self.step = Hold(self.services)

    async def _append(self, item: Item) -> Outcome:
        assert isinstance(item.change, OpenApproval)
        self.opened.append(item.change)
        outcome = self.answers.pop(0) if self.answers else OPENED
        approval = item.change.approval_id if isinstance(outcome, Appended) else outcome.approval_id
        if approval is not None:
            self.ledger.states.setdefault(approval, State.PENDING)
        return outcome

    async def _get(self, approval_id: ApprovalId) -> Approval | None:
        if self.comment is None:
            return None
        made: Any = Approval.__new__(Approval)
        object.__setattr__(made, "comment", self.comment)
        found: Approval = made
        return found

    def held(self, content: bytes = b"", **more: Any) -> Passage:
        """A passage that `decide` and `locate` have left to be held, whole."""
        passage = self.classified(method="POST", content=content, **more)
        request = passage.flow.request
        fields = request.headers.fields
        passage.request = parse(
            method="POST", scheme="http", host=request.host, port=request.port, target=request.data.path, headers=fields
        )
        passage.verdict, passage.destinations, passage.whole = HOLD, Destinations(), True
        return passage

    async def waiting(self, passage: Passage) -> "asyncio.Task[str | None]":
        """The step, once it waits in the room."""
        task = asyncio.ensure_future(take(self.step, passage))
        await until(lambda: len(self.services.room) == 1 or task.done())
        assert not task.done(), task
        return task

    def becomes(self, passage: Passage, state: State) -> None:
        """What happens to the approval that the passage waits for."""
        assert passage.approval_id is not None
        self.ledger.states[passage.approval_id] = state
        self.services.room.heard(f"{passage.approval_id.removeprefix('apr_')} {state.value}")


async def refused(task: "asyncio.Future[Any]", kind: type[Refused]) -> str:
    with pytest.raises(kind) as error:
        async with asyncio.timeout(20):
            await task
    assert type(error.value) is kind
    assert error.value.rules == HOLD.rules
    assert error.value.revision == HOLD.revision
    return error.value.detail


# --- before the wait ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [ALLOW, DENY])
async def test_what_is_not_held_passes_by(verdict: Any) -> None:
    made = Holding()
    passage = made.held()
    passage.verdict = verdict
    assert await take(made.step, passage) is None
    assert (made.opened, passage.approved, passage.parked) == ([], False, False)


async def test_a_body_is_waited_for_first_and_its_memory_is_set_aside() -> None:
    made = Holding(body_hold_bytes=1000)
    known, unknown = made.held(), made.held(number=2)
    known.whole = unknown.whole = False
    known.length = 400
    assert await take(made.step, known) is None
    assert await take(made.step, unknown) is None
    assert (known.parked, known.held_bytes) == (True, 400)
    assert (unknown.parked, unknown.held_bytes) == (True, 1000)  # only its end will tell: all that there may be
    assert made.opened == []


@pytest.mark.parametrize(("length", "kind"), [(1000, None), (1001, BodyTooLarge)])
async def test_a_body_too_large_to_approve_is_refused_by_its_head(length: int, kind: type[Refused] | None) -> None:
    made = Holding(body_hold_bytes=1000)
    passage = made.held()
    passage.whole, passage.length = False, length
    if kind is None:
        assert await take(made.step, passage) is None
    else:
        assert await refused(asyncio.ensure_future(take(made.step, passage)), kind) == "too large to approve"
        assert passage.held_bytes == 0


async def test_all_bodies_together_have_a_limit_and_what_is_given_back_is_free_again() -> None:
    made = Holding(body_hold_bytes=100, held_bytes=250)
    passages = [made.held(number=number) for number in range(1, 5)]
    for passage in passages:
        passage.whole, passage.length = False, 100
    await take(made.step, passages[0])
    await take(made.step, passages[1])
    assert await refused(asyncio.ensure_future(take(made.step, passages[2])), HoldsFull) == "too many large requests are held"
    made.services.memory.give_back(passages[2])  # which had nothing
    made.services.memory.give_back(passages[0])
    made.services.memory.give_back(passages[0])
    await take(made.step, passages[3])
    assert passages[3].parked
    with pytest.raises(HoldsFull):
        await take(made.step, passages[2])


async def test_whoever_left_before_its_body_came_takes_no_memory() -> None:
    made = Holding()
    passage = made.held()
    passage.whole, passage.left = False, True
    with pytest.raises(Abandoned, match="before its request was whole"):
        await take(made.step, passage)
    assert (passage.parked, passage.held_bytes) == (False, 0)


async def test_a_body_that_is_spoilt_opens_no_approval() -> None:
    made = Holding()
    passage = made.held()
    passage.spoilt = BodyTooLarge("too large to approve")
    assert await refused(asyncio.ensure_future(take(made.step, passage)), BodyTooLarge) == "too large to approve"
    assert made.opened == []


async def test_what_is_approved_is_bound_to_the_whole_body() -> None:
    made = Holding()
    digests = []
    for content in (b"one", b"two", b"one"):
        passage = made.held(content=content)
        made.answers.append(Lost(code="granted", approval_id=FOUND))
        await take(made.step, passage)
        assert passage.request is not None
        assert passage.request.body == content
        digests.append(passage.with_action().digest)
    assert digests[0] == digests[2] != digests[1]
    assert [change.digest for change in made.opened] == digests


async def test_the_approver_is_told_whose_it_is_where_it_goes_and_why() -> None:
    made = Holding(Lost(code="granted", approval_id=FOUND), holds_per_agent=7)
    passage = made.held()
    await take(made.step, passage)
    (change,) = made.opened
    assert (change.agent, change.name, change.method, change.host) == ("demo", "http:POST", "POST", "up.test")
    assert (change.reason, change.rules, change.revision) == (HOLD.reason, HOLD.rules, HOLD.revision)
    assert (change.waits, change.holds_limit, change.action_id) == (True, 7, passage.id)
    assert change.summary["card"]["sentence"] == "demo wants to send POST /a to up.test."


# --- what the ledger finds ---------------------------------------------------------------------------------------------------


async def test_a_grant_that_is_there_already_is_taken_without_a_wait() -> None:
    made = Holding(Lost(code="granted", approval_id=FOUND))
    passage = made.held()
    assert await take(made.step, passage) is None
    assert (passage.approved, passage.approval_id) == (True, FOUND)


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        (Lost(code="denied", approval_id=FOUND), DeniedByApprover, "an approver denied this request"),
        (Lost(code="expired", approval_id=FOUND), ApprovalExpired, "the approval expired"),
        (Lost(code="too-many-holds"), TooManyHolds, "the agent has too many held requests"),
        (Lost(code="agent-disabled"), AgentDisabled, "the agent is disabled"),
    ],
    ids=lambda value: value.code if isinstance(value, Lost) else None,
)
async def test_what_the_ledger_refuses_is_refused(outcome: Lost, kind: type[Refused], words: str) -> None:
    made = Holding(outcome)
    passage = made.held()
    assert await refused(asyncio.ensure_future(take(made.step, passage)), kind) == words
    assert passage.approval_id == outcome.approval_id
    assert not passage.approved


@pytest.mark.parametrize("outcome", [Lost(code="what nobody knows"), Lost(code="attached"), Lost(code="granted")])
async def test_an_answer_that_nobody_knows_is_a_defect(outcome: Lost) -> None:
    made = Holding(outcome)
    passage = made.held()
    with pytest.raises(AssertionError, match="the ledger answered"):
        await take(made.step, passage)
    assert not passage.approved


# --- the wait ----------------------------------------------------------------------------------------------------------------


async def test_opened_it_waits_until_it_is_approved() -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    made.becomes(passage, State.APPROVED)
    assert await task is None
    assert passage.approved
    assert passage.approval_id == made.opened[0].approval_id


async def test_attached_it_waits_for_what_was_found() -> None:
    made = Holding(Lost(code="attached", approval_id=FOUND))
    passage = made.held()
    task = await made.waiting(passage)
    assert passage.approval_id == FOUND
    made.becomes(passage, State.APPROVED)
    assert await task is None
    assert passage.approved


@pytest.mark.parametrize(
    ("comment", "words"),
    [("not on a Friday", "an approver denied this request: not on a Friday"), ("", "an approver denied this request")],
)
async def test_denied_it_is_told_the_approvers_reason(comment: str, words: str) -> None:
    made = Holding()
    made.comment = comment
    passage = made.held()
    task = await made.waiting(passage)
    made.becomes(passage, State.DENIED)
    assert await refused(task, DeniedByApprover) == words


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED])
async def test_when_nobody_decided_it_is_over(state: State) -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    made.becomes(passage, state)
    assert await refused(task, ApprovalExpired) == "nobody decided in time"


@pytest.mark.parametrize(
    ("woken", "kind", "words"),
    [
        (Woken.TIMEOUT, Pending, "asks first: still waiting for an approver"),
        (Woken.LEFT, ClientLeft, "the client left while it was held"),
        (Woken.DISABLED, AgentDisabled, "the agent's credential has ended"),
        (Woken.DRAINING, Pending, "this gateway is shutting down; send it again"),
    ],
)
async def test_the_wait_ends_with_its_reason(woken: Woken, kind: type[Refused], words: str) -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    made.services.room.wake(passage.id, woken)
    assert await refused(task, kind) == words
    assert not passage.approved
    error = task.exception()
    if isinstance(error, Pending):
        assert error.approval_id == passage.approval_id


async def test_a_reason_that_is_a_sentence_goes_on_without_its_full_stop() -> None:
    made = Holding()
    passage = made.held()
    passage.verdict = replace(HOLD, reason="Asks first.")
    task = await made.waiting(passage)
    made.services.room.wake(passage.id, Woken.TIMEOUT)
    assert await refused(task, Pending) == "Asks first: still waiting for an approver"


async def test_whoever_left_meanwhile_does_not_begin_to_wait() -> None:
    made = Holding()
    passage = made.held()
    passage.left = True
    assert await refused(asyncio.ensure_future(take(made.step, passage)), ClientLeft) == "the client left while it was held"


@pytest.mark.parametrize("who", ["the client", "the agent", "the gateway"])
async def test_how_long_it_is_held_says_the_client_then_the_agent_then_the_gateway(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Holding(hold_seconds=30)
    passage = made.held()
    passage.started = 100.0
    monkeypatch.setattr(type(made.services), "clock", lambda _self: 110.0)
    if who in {"the client", "the agent"}:
        agent = replace(made.agents.credential.agent, hold_seconds=20)
        passage.credential = replace(made.agents.credential, agent=agent)
    if who == "the client":
        passage.prefer_wait = 12.0
    waited: list[float] = []

    async def wait(_approval: ApprovalId, _action: object, seconds: float) -> Woken:
        waited.append(seconds)
        return Woken.TIMEOUT

    monkeypatch.setattr(made.services.room, "wait", wait)
    with pytest.raises(Pending):
        await take(made.step, passage)
    assert waited == [{"the client": 2.0, "the agent": 10.0, "the gateway": 20.0}[who]]


# --- others wait too ---------------------------------------------------------------------------------------------------------


async def test_when_another_one_spent_it_it_asks_anew() -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    first = passage.approval_id
    made.becomes(passage, State.SPENT)
    await until(lambda: len(made.opened) == 2 and len(made.services.room) == 1)
    assert passage.approval_id == made.opened[1].approval_id != first
    made.becomes(passage, State.APPROVED)
    assert await task is None


async def test_one_that_is_not_the_oldest_stands_back_although_it_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Holding(*[Lost(code="granted", approval_id=FOUND)] * 2)
    passage = made.held()
    passage.yielding = True
    stood: list[float] = []

    async def stand_back(_approval: ApprovalId, _action: object, seconds: float) -> Woken:
        stood.append(seconds)
        return Woken.TIMEOUT

    monkeypatch.setattr(made.services.room, "stand_back", stand_back)
    assert await take(made.step, passage) is None
    assert stood == [module.YIELD_SECONDS]
    assert (passage.approved, passage.yielding, len(made.opened)) == (True, False, 2)


@pytest.mark.parametrize(("late", "again"), [(3.9, True), (4.1, False)])
async def test_it_stands_back_a_little_longer_than_it_may_be_held_and_no_more(
    late: float, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Holding(*[Lost(code="granted", approval_id=FOUND)] * 2, hold_seconds=10)
    passage = made.held()
    passage.yielding, passage.started = True, 100.0
    monkeypatch.setattr(type(made.services), "clock", lambda _self: 110.0 + late)

    async def stand_back(*_: object) -> Woken:
        return Woken.TIMEOUT

    monkeypatch.setattr(made.services.room, "stand_back", stand_back)
    task = asyncio.ensure_future(take(made.step, passage))
    if again:
        assert await task is None
        assert passage.approved
    else:
        assert "still waiting" in await refused(task, Pending)


# --- after the wait ----------------------------------------------------------------------------------------------------------


async def test_after_the_wait_a_stricter_policy_wins() -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    made.engine.verdict = DENY
    made.becomes(passage, State.APPROVED)
    with pytest.raises(DeniedByPolicy, match="denied here"):
        await task


async def test_after_the_wait_the_addresses_are_asked_again() -> None:
    made = Holding()
    passage = made.held()
    task = await made.waiting(passage)
    made.resolver.routes["up.test"] = Route(addresses=("8.8.4.4",), port=80)
    made.becomes(passage, State.APPROVED)
    await task
    assert passage.route == Route(addresses=("8.8.4.4",), port=80)
    passage.approved, made.answers = False, [Lost(code="granted", approval_id=FOUND)]
    made.resolver.routes["up.test"] = Route(addresses=("169.254.169.254",), port=80)
    with pytest.raises(Refused) as error:
        await take(made.step, passage)
    assert error.value.code == "address"


async def test_a_policy_that_became_laxer_leaves_the_approval_to_be_spent() -> None:
    made = Holding(Lost(code="granted", approval_id=FOUND))
    made.engine.verdict = ALLOW
    passage = made.held()
    assert await take(made.step, passage) is None
    assert isinstance(passage.verdict, Allow)
    assert (passage.approved, passage.approval_id) == (True, FOUND)


async def test_already_approved_it_is_only_judged_again() -> None:
    made = Holding()
    passage = made.held()
    passage.approved, passage.approval_id = True, FOUND
    assert await take(made.step, passage) is None
    assert made.opened == []
    assert len(made.engine.asked) == 1
