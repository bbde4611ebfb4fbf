import asyncio

import pytest

from addons.waiting import WaitingRoom, Woken
from firewall.approval import State
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, ApprovalId
from tests.gateway.rig import SomeApprovals, SomeLedger, until

APPROVAL = ApprovalId("apr_" + "1" * 32)
UUID = "11111111-1111-1111-1111-111111111111"
LONG = 60.0


def action(number: int) -> ActionId:
    return ActionId(f"act_{number:032x}")


class Room:
    def __init__(self) -> None:
        self.ledger = SomeLedger()
        self.ledger.states[APPROVAL] = State.PENDING
        self.room = WaitingRoom(SomeApprovals(self.ledger).states)

    async def waiter(self, number: int, seconds: float = LONG) -> "asyncio.Task[Woken]":
        task = asyncio.get_running_loop().create_task(self.room.wait(APPROVAL, action(number), seconds))
        before = len(self.room)
        await until(lambda: len(self.room) > before or task.done())
        await asyncio.sleep(0)
        return task


async def test_an_approval_wakes_the_oldest_alone() -> None:
    room = Room()
    first, second = await room.waiter(1), await room.waiter(2)
    room.room.heard(f"{UUID} approved")
    assert await first is Woken.APPROVED
    assert not second.done()
    room.room.heard(f"{UUID} spent")
    assert await second is Woken.SPENT
    assert len(room.room) == 0


@pytest.mark.parametrize(
    ("state", "woken"), [("denied", Woken.DENIED), ("expired", Woken.EXPIRED), ("cancelled", Woken.EXPIRED), ("spent", Woken.SPENT)]
)
async def test_an_end_wakes_all(state: str, woken: Woken) -> None:
    room = Room()
    waiters = [await room.waiter(number) for number in range(3)]
    room.room.heard(f"{UUID} {state}")
    assert [await waiter for waiter in waiters] == [woken] * 3


async def test_a_hint_that_was_lost_is_made_up_for_by_the_poll() -> None:
    room = Room()
    waiter = await room.waiter(1)
    room.ledger.states[APPROVAL] = State.DENIED
    await room.room.poll()
    assert await waiter is Woken.DENIED


async def test_what_happened_before_the_wait_began_is_seen() -> None:
    room = Room()
    room.ledger.states[APPROVAL] = State.APPROVED
    assert await room.room.wait(APPROVAL, action(1), LONG) is Woken.APPROVED


async def test_a_store_that_cannot_be_read_ends_no_wait() -> None:
    room = Room()
    room.ledger.error = LedgerUnavailable("the approvals cannot be read")
    waiter = await room.waiter(1)
    assert not waiter.done()
    room.ledger.error = None
    room.ledger.states[APPROVAL] = State.APPROVED
    await room.room.poll()
    assert await waiter is Woken.APPROVED


async def test_the_wait_ends_when_its_time_is_over() -> None:
    assert await Room().room.wait(APPROVAL, action(1), 0) is Woken.TIMEOUT


@pytest.mark.parametrize("why", [Woken.LEFT, Woken.DISABLED])
async def test_one_request_is_woken_by_itself(why: Woken) -> None:
    room = Room()
    first, second = await room.waiter(1), await room.waiter(2)
    room.room.wake(action(1), why)
    assert await first is why
    assert not second.done()
    room.room.drain()
    await second


async def test_when_the_oldest_leaves_the_next_is_the_oldest() -> None:
    room = Room()
    first, second = await room.waiter(1), await room.waiter(2)
    room.room.wake(action(1), Woken.LEFT)
    await first
    room.room.heard(f"{UUID} approved")
    assert await second is Woken.APPROVED


async def test_draining_wakes_all_and_lets_nobody_in() -> None:
    room = Room()
    waiter = await room.waiter(1)
    room.room.drain()
    assert await waiter is Woken.DRAINING
    assert await room.room.wait(APPROVAL, action(2), LONG) is Woken.DRAINING


async def test_one_that_stands_back_does_not_look_at_an_approval_it_may_not_have_yet() -> None:
    room = Room()
    room.ledger.states[APPROVAL] = State.APPROVED
    assert await room.room.stand_back(APPROVAL, action(1), 0) is Woken.TIMEOUT


@pytest.mark.parametrize("payload", ["", f"{UUID} pending", "22222222-2222-2222-2222-222222222222 approved"])
async def test_a_hint_about_nobody_here_wakes_nobody(payload: str) -> None:
    room = Room()
    waiter = await room.waiter(1)
    room.room.heard(payload)
    assert not waiter.done()
    room.room.drain()
    await waiter
