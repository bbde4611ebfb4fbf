"""Approvals and grants (SEMANTICS 3), as transcripts: what each word is answered with, on every backend."""

import asyncio

import pytest

from firewall.approval import Choice, State
from firewall.ids import ApprovalId
from firewall.ports import Appended, Lost
from firewall.verdict import Terms
from tests.contracts.backends import Backend
from tests.contracts.scene import Scene, fresh, until

HOUR = 3600


async def test_an_approved_request_passes_once(scene: Scene) -> None:
    assert await scene.opens("one") == "opened"
    assert await scene.state() == "pending"
    assert await scene.spends("one") == "not-approved pending"
    assert await scene.approves() == "approved"
    assert await scene.state() == "approved"
    assert await scene.spends("one") == "spent"
    assert await scene.state() == "spent"
    assert await scene.spends("one") == "not-approved spent"


async def test_the_same_request_attaches_to_what_is_pending(scene: Scene) -> None:
    assert await scene.opens("one") == "opened"
    first = scene.approval
    assert await scene.opens("two") == "attached"
    assert await scene.opens("three", waits=False) == "attached"
    assert scene.approval == first


async def test_another_digest_opens_an_approval_of_its_own(scene: Scene) -> None:
    assert await scene.opens("one") == "opened"
    assert await scene.opens("two", digest="sha256:" + "ab" * 32) == "opened"


async def test_approved_with_nobody_waiting_it_is_a_grant_for_one_request(scene: Scene) -> None:
    assert await scene.opens("one", waits=False) == "opened"
    assert await scene.approves() == "approved"
    assert await scene.opens("two") == "granted"
    assert await scene.spends("two") == "spent"
    assert await scene.opens("three") == "opened"


async def test_a_grant_is_for_its_digest_and_its_agent_alone(scene: Scene) -> None:
    await scene.opens("one")
    await scene.approves()
    assert await scene.spends("one", digest="sha256:" + "ab" * 32) == "not-approved"
    other = type(scene.agent)(fresh("agt"))
    assert await scene.creates_agent(other, "other", "other-secret") == "done"
    assert await scene.spends("one", agent=other) == "not-approved"
    assert await scene.spends("one", approval=ApprovalId(fresh("apr"))) == "not-approved"
    assert await scene.spends("one") == "spent"


async def test_a_grant_ends_an_hour_after_the_approval(scene: Scene, backend: Backend) -> None:
    await scene.opens("one", waits=False)
    await scene.approves()
    await backend.pass_time(HOUR - 60)
    assert await scene.opens("two", waits=False) == "granted"
    await backend.pass_time(120)
    assert await scene.state() == "expired"
    assert await scene.spends("two") == "not-approved expired"
    assert await scene.opens("two") == "expired"


async def test_a_grant_never_outlives_the_question(scene: Scene, backend: Backend) -> None:
    await scene.opens("one", waits=False, expires_in=600, grant_for=HOUR)
    await scene.approves()
    await backend.pass_time(601)
    assert await scene.spends("one") == "not-approved expired"


async def test_a_denial_answers_the_same_digest_for_ten_minutes(scene: Scene, backend: Backend) -> None:
    await scene.opens("one")
    first = scene.approval
    assert await scene.denies(comment="not today") == "denied"
    assert await scene.opens("one") == "denied"
    assert scene.approval == first
    await backend.pass_time(9 * 60)
    assert await scene.opens("two") == "denied"
    await backend.pass_time(2 * 60)
    assert await scene.opens("two") == "opened"
    assert scene.approval != first


async def test_a_question_that_time_ended_is_in_the_way_until_it_is_written_down_and_then_for_ten_minutes(
    scene: Scene, backend: Backend
) -> None:
    await scene.opens("one", expires_in=60)
    assert await scene.expires() == "not-expired"
    await backend.pass_time(61)
    assert await scene.state() == "expired"
    assert await scene.opens("two") == "expired"
    await backend.pass_time(HOUR)
    assert await scene.opens("two") == "expired"
    assert await scene.expires() == "expired"
    assert await scene.expires() == "not-expired"
    assert await scene.opens("two") == "opened"


async def test_an_expiry_written_in_time_answers_for_ten_minutes(scene: Scene, backend: Backend) -> None:
    await scene.opens("one", expires_in=60)
    await backend.pass_time(61)
    assert await scene.expires() == "expired"
    assert await scene.opens("two") == "expired"
    await backend.pass_time(10 * 60)
    assert await scene.opens("two") == "opened"


async def test_an_unspent_grant_expires_too(scene: Scene, backend: Backend) -> None:
    await scene.opens("one", waits=False)
    await scene.approves()
    assert await scene.expires() == "not-expired"
    await backend.pass_time(HOUR + 1)
    assert await scene.expires() == "expired"
    assert await scene.opens("two") == "expired"
    await backend.pass_time(600)
    assert await scene.opens("two") == "opened"


async def test_nobody_decides_twice(scene: Scene) -> None:
    await scene.opens("one")
    assert await scene.approves("ann") == "approved"
    assert await scene.approves("ann") == "decided approved"
    assert await scene.denies("bob") == "decided approved"
    await scene.spends("one")
    assert await scene.denies("bob") == "decided spent"


async def test_nobody_decides_what_is_denied_expired_or_not_there(scene: Scene, backend: Backend) -> None:
    await scene.opens("one")
    await scene.denies()
    assert await scene.approves() == "decided denied"
    await scene.opens("two", digest="sha256:" + "ab" * 32, expires_in=60)
    await backend.pass_time(61)
    assert await scene.approves() == "decided expired"
    await scene.expires()
    assert await scene.approves() == "decided expired"
    assert await scene.votes(Choice.APPROVE, "ann", approval=ApprovalId(fresh("apr"))) == "missing"


async def test_two_people_must_approve_where_the_quorum_is_two(scene: Scene) -> None:
    await scene.opens("one", quorum=2)
    assert await scene.approves("ann") == "pending"
    assert isinstance(scene.last, Appended)
    assert len(scene.last.seqs) == 1, "the vote's entry, and no entry that says it is approved"
    assert await scene.approves("ann") == "decided pending"
    assert await scene.spends("one") == "not-approved pending"
    assert await scene.approves("bob") == "approved"
    assert isinstance(scene.last, Appended)
    assert len(scene.last.seqs) == 2
    assert await scene.spends("one") == "spent"


async def test_one_denial_settles_whatever_the_quorum(scene: Scene) -> None:
    await scene.opens("one", quorum=2)
    assert await scene.approves("ann") == "pending"
    assert await scene.denies("bob") == "denied"


async def test_the_oldest_waiter_goes_first_and_the_others_share_a_fresh_approval(scene: Scene) -> None:
    await scene.opens("one")
    first = scene.approval
    await scene.opens("two")
    await scene.opens("three")
    await scene.approves()
    assert await scene.spends("three") == "not-oldest"
    assert await scene.spends("two") == "not-oldest"
    assert await scene.spends("one") == "spent"
    assert await scene.opens("three") == "opened"
    assert await scene.opens("two") == "attached"
    assert scene.approval != first
    await scene.approves()
    assert await scene.spends("three") == "not-oldest", "one that comes back keeps its place"
    assert await scene.spends("two") == "spent"


async def test_a_request_that_never_waited_stands_behind_those_that_do(scene: Scene) -> None:
    await scene.opens("one")
    await scene.approves()
    assert await scene.spends("passer-by") == "not-oldest"
    assert await scene.spends("one") == "spent"


async def test_one_that_left_no_longer_goes_first(scene: Scene) -> None:
    await scene.opens("one")
    await scene.opens("two")
    await scene.approves()
    assert await scene.spends("two") == "not-oldest"
    scene.leaves("one")

    async def passed() -> bool:
        return await scene.spends("two") == "spent"

    await until(passed)


async def test_a_waiter_whose_process_is_gone_no_longer_goes_first(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    await scene.opens("one", by=other)
    await scene.opens("two")
    await scene.approves()
    assert await scene.spends("two") == "not-oldest"
    await backend.kill(other)
    assert await scene.spends("two") == "spent"


async def test_a_waiter_whose_process_has_stopped_no_longer_goes_first(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    await scene.opens("one", by=other)
    await scene.opens("two")
    await scene.approves()
    await backend.stop(other)
    assert await scene.spends("two") == "spent"


async def test_an_approval_outlives_the_process_that_asked_for_it(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    assert await scene.opens("one", by=other) == "opened"
    await backend.kill(other)
    assert await scene.opens("again") == "attached"
    assert await scene.approves() == "approved"
    assert await scene.spends("again") == "spent"


async def test_an_agent_holds_no_more_than_its_limit(scene: Scene) -> None:
    assert await scene.opens("one", holds_limit=2) == "opened"
    assert await scene.opens("two", holds_limit=2) == "attached"
    assert await scene.opens("three", holds_limit=2) == "too-many-holds"
    assert await scene.opens("four", holds_limit=2, digest="sha256:" + "ab" * 32) == "too-many-holds"
    assert await scene.opens("two", holds_limit=2) == "attached", "one that comes back is not one more"
    assert await scene.opens("three", holds_limit=2, waits=False) == "attached", "one that does not wait is no hold"
    scene.leaves("one")

    async def fits() -> bool:
        return await scene.opens("three", holds_limit=2) == "attached"

    await until(fits)


async def test_holds_of_a_process_that_is_gone_do_not_count(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    await scene.opens("one", by=other, holds_limit=1)
    assert await scene.opens("two", holds_limit=1) == "too-many-holds"
    await backend.kill(other)
    assert await scene.opens("two", holds_limit=1) == "attached"


async def test_one_agents_holds_do_not_fill_anothers_limit(scene: Scene) -> None:
    await scene.opens("one", holds_limit=1)
    other = type(scene.agent)(fresh("agt"))
    await scene.creates_agent(other, "other", "other-secret")
    assert await scene.opens("two", holds_limit=1, agent=other, digest="sha256:" + "ab" * 32) == "opened"


async def test_a_disabled_agent_asks_for_nothing_and_spends_nothing(scene: Scene) -> None:
    await scene.opens("one")
    await scene.approves()
    assert await scene.disables() == "done"
    assert await scene.spends("one") == "agent-disabled"
    assert await scene.opens("two") == "agent-disabled"


async def test_a_grant_is_not_spent_under_a_policy_that_is_no_longer_active(scene: Scene) -> None:
    await scene.opens("one")
    await scene.approves()
    assert await scene.activates("sha256:2") == "done"
    assert await scene.spends("one", revision="sha256:1") == "policy-changed"
    assert await scene.spends("one", revision="sha256:2") == "spent"


async def test_what_lost_wrote_nothing(scene: Scene, backend: Backend) -> None:
    await scene.opens("one")
    await scene.approves()
    await scene.spends("one")
    before = (await backend.chain()).size
    assert await scene.spends("two") == "not-approved spent"
    assert isinstance(scene.last, Lost)
    assert await scene.approves() == "decided spent"
    assert await scene.expires() == "not-expired"
    assert (await backend.chain()).size == before


async def test_an_approval_can_be_read_whole(scene: Scene) -> None:
    await scene.opens("one", quorum=1, expires_in=7200, grant_for=60)
    found = await scene.process.approvals.get(scene.approval)
    assert found is not None
    assert (found.state, found.digest, found.agent, found.agent_id) == (State.PENDING, scene.digest, "bot", scene.agent)
    assert (found.name, found.kind, found.risk, found.method, found.host) == ("http:POST", "write", "high", "POST", "x.example")
    assert (found.reason, found.rules, found.revision) == ("writes are asked about", ("writes",), "sha256:1")
    assert found.action_id == scene.action_id("one")
    assert found.terms == Terms(quorum=1, approvers=("role:approver",), expires_in=7200, grant_for=60)
    assert (found.expires_at - found.requested_at).total_seconds() == 7200
    assert (found.grant_until, found.decided_by, found.spent_by) == (None, None, None)
    await scene.approves("ann", comment="fine")
    await scene.spends("one")
    found = await scene.process.approvals.get(scene.approval)
    assert found is not None
    assert found.decided_at is not None
    assert found.grant_until is not None
    assert (found.grant_until - found.decided_at).total_seconds() == 60
    assert (found.state, found.decided_by, found.comment, found.spent_by) == (
        State.SPENT, "ann", "fine", scene.action_id("one"),
    )  # fmt: skip


async def test_an_approval_that_is_not_there_is_none_and_has_no_state(scene: Scene) -> None:
    nobody = ApprovalId(fresh("apr"))
    assert await scene.process.approvals.get(nobody) is None
    assert await scene.process.approvals.states([nobody]) == {}


@pytest.mark.parametrize("racers", [8])
async def test_of_many_racing_for_one_grant_in_two_processes_one_wins(scene: Scene, backend: Backend, racers: int) -> None:
    other = await backend.process()
    await scene.opens("one", waits=False)
    await scene.approves()
    processes = [scene.process, other]
    said = await asyncio.gather(*(scene.spends(f"racer-{i}", by=processes[i % 2]) for i in range(racers)))
    assert sorted(said) == ["not-approved spent"] * (racers - 1) + ["spent"]


async def test_of_many_opening_at_once_in_two_processes_one_opens(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    processes = [scene.process, other]
    said = await asyncio.gather(*(scene.opens(f"racer-{i}", by=processes[i % 2]) for i in range(8)))
    assert sorted(said) == ["attached"] * 7 + ["opened"]
