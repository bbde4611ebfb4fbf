"""Requests that wait for an approval in this process. NOTIFY is the hint, a poll of the table is what counts.

An approval wakes one waiter, the oldest; whoever spends it, the others hear `SPENT` and ask anew, together. A denial or an
expiry wakes all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum

import structlog

from firewall.approval import State
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, ApprovalId

log = structlog.get_logger()


class Woken(Enum):
    APPROVED = "approved"
    SPENT = "spent"
    DENIED = "denied"
    EXPIRED = "expired"
    TIMEOUT = "timeout"
    LEFT = "left"
    DISABLED = "disabled"
    DRAINING = "draining"


_ENDS = {
    State.SPENT: Woken.SPENT,
    State.DENIED: Woken.DENIED,
    State.EXPIRED: Woken.EXPIRED,
    State.CANCELLED: Woken.EXPIRED,
}

Queue = OrderedDict[ActionId, "asyncio.Future[Woken]"]


class WaitingRoom:
    """`states`: reads what the approvals' states are now."""

    def __init__(self, states: Callable[[Sequence[ApprovalId]], Awaitable[Mapping[ApprovalId, State]]]) -> None:
        self._states = states
        self._queues: dict[ApprovalId, Queue] = {}
        self._futures: dict[ActionId, asyncio.Future[Woken]] = {}
        self.draining = False

    def __len__(self) -> int:
        return len(self._futures)

    async def wait(self, approval_id: ApprovalId, action_id: ActionId, seconds: float) -> Woken:
        """Waits until something happens to the approval or to the request, at most `seconds`."""
        return await self._stay(approval_id, action_id, seconds, look=True)

    async def stand_back(self, approval_id: ApprovalId, action_id: ActionId, seconds: float) -> Woken:
        """Waits until the older waiter, which goes first, has spent the approval, at most `seconds`."""
        return await self._stay(approval_id, action_id, seconds, look=False)

    async def _stay(self, approval_id: ApprovalId, action_id: ActionId, seconds: float, *, look: bool) -> Woken:
        if self.draining:
            return Woken.DRAINING
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Woken] = loop.create_future()
        queue = self._queues.setdefault(approval_id, OrderedDict())
        queue[action_id] = self._futures[action_id] = future
        timer = loop.call_later(max(0.0, seconds), _resolve, future, Woken.TIMEOUT)
        try:
            if look:
                # What happened between the opening of the approval and this line was told to nobody.
                try:
                    await self._look([approval_id])
                except LedgerUnavailable as error:
                    log.warning("approval.not-read", reason=error.detail)  # the poll asks again
            return await future
        finally:
            timer.cancel()
            del self._futures[action_id]
            queue.pop(action_id, None)
            if not queue and self._queues.get(approval_id) is queue:
                del self._queues[approval_id]

    def wake(self, action_id: ActionId, why: Woken) -> None:
        """Something happened to one request: its client left, its agent was disabled."""
        future = self._futures.get(action_id)
        if future is not None:
            _resolve(future, why)

    def drain(self) -> None:
        self.draining = True
        for future in list(self._futures.values()):
            _resolve(future, Woken.DRAINING)

    def heard(self, payload: str) -> None:
        """A hint from the database: `uuid state`. Nothing at all means that anything may have happened; the poll will tell."""
        if not payload:
            return
        identifier, _, state = payload.partition(" ")
        approval_id = ApprovalId("apr_" + identifier.replace("-", ""))
        if approval_id in self._queues:
            self._tell(approval_id, State(state))

    async def poll(self) -> None:
        if self._queues:
            await self._look(list(self._queues))

    async def _look(self, ids: list[ApprovalId]) -> None:
        for approval_id, state in (await self._states(ids)).items():
            self._tell(approval_id, state)

    def _tell(self, approval_id: ApprovalId, state: State) -> None:
        queue = self._queues.get(approval_id)
        if not queue or state is State.PENDING:
            return
        if state is State.APPROVED:
            _resolve(next(iter(queue.values())), Woken.APPROVED)
        else:
            for future in list(queue.values()):
                _resolve(future, _ENDS[state])


def _resolve(future: "asyncio.Future[Woken]", why: Woken) -> None:
    if not future.done():
        future.set_result(why)
