"""Takes one request along the steps. What a step waits for (a decision, a commit) is one Future; the walk goes on from its
callback, because a coroutine of awaits costs a good part of what all the steps do (TRAPS: Speed).

Whatever a step raises ends the walk with a refusal, which is recorded like any decision.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import structlog

from addons.passage import Passage, Step
from firewall.errors import Defect, Refused

log = structlog.get_logger()

ANYTHING = (Exception, asyncio.CancelledError)
"""A future that is cancelled under a step is a failure like any other: unanswered, the request would stay for ever."""


class Walk:
    """`record` writes a refusal down. `ended` is called once: with None when the last step is done, or the passage is parked until
    its body is here; else with what the agent is told."""

    __slots__ = ("_ended", "_future", "_index", "_numbers", "_passage", "_record", "_steps")

    def __init__(
        self,
        passage: Passage,
        steps: Sequence[Step],
        *,
        record: Step,
        numbers: Mapping[str, int],
        ended: Callable[[Passage, Refused | None], None],
    ) -> None:
        self._passage = passage
        self._steps = steps
        self._record = record
        self._numbers = numbers
        self._ended = ended
        self._index = 0
        self._future: asyncio.Future[None] | None = None

    def go(self, start: int = 0) -> "asyncio.Future[None] | None":
        """None when nothing had to be waited for; else what ends with the walk."""
        self._index = start
        self._walk()
        return self._future

    def _walk(self) -> None:
        """From the step `_index` on, as far as it goes without waiting."""
        passage, steps = self._passage, self._steps
        end = len(steps)
        try:
            while self._index < end:
                step = steps[self._index]
                passage.step = step.name
                result = step(passage)
                if result is None and not passage.parked:
                    self._index += 1
                elif not self._took(step, result):
                    return
        except ANYTHING as error:
            self._refuse(error)
            return
        self._end(None)

    def _took(self, step: Step, result: Any) -> bool:
        """Whether the walk goes on at once with what the step gave back."""
        if result is None:
            self._index += 1
        elif asyncio.isfuture(result) or isawaitable(result):
            self._wait(result, step)
            return False
        else:
            self._index = self._numbers[result]
        if self._passage.parked:
            self._end(None)
            return False
        return True

    def _wait(self, result: Awaitable[Any], step: Step) -> None:
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        waited = result if asyncio.isfuture(result) else asyncio.ensure_future(result)
        waited.add_done_callback(lambda done: self._waited(step, done))

    def _waited(self, step: Step, done: "asyncio.Future[Any]") -> None:
        try:
            on = self._took(step, step.answered(self._passage, done.result()))
        except ANYTHING as error:
            self._refuse(error)
            return
        if on:
            self._walk()

    # --- refusals

    def _refuse(self, error: BaseException) -> None:
        passage = self._passage
        refused = error if isinstance(error, Refused) else self._defect(error)
        if passage.owes_outcome or passage.action is None or passage.refusal is not None:
            # Recorded as allowed, then something was in the way; or it is nobody's; or its refusal cannot be recorded.
            self._end(refused)
            return
        passage.refusal = refused
        passage.step = self._record.name  # which is the one to name, should it fail
        try:
            waited = asyncio.ensure_future(self._record(passage))
        except ANYTHING as failed:
            self._refuse(failed)
            return
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        waited.add_done_callback(lambda done: self._recorded(refused, done))

    def _recorded(self, refused: Refused, done: "asyncio.Future[Any]") -> None:
        try:
            self._record.answered(self._passage, done.result())
        except ANYTHING as error:
            self._refuse(error)
        else:
            self._end(refused)

    def _defect(self, error: BaseException) -> Defect:
        log.error("step.failed", step=self._passage.step, action=self._passage.id, exc_info=error)
        return Defect(f"the step {self._passage.step} failed")

    def _end(self, refused: Refused | None) -> None:
        try:
            self._ended(self._passage, refused)
        except Exception as error:
            if self._future is None:
                raise
            self._future.set_exception(error)  # else whoever waits for it would wait for ever
            return
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


async def take(step: Step, passage: Passage) -> str | None:
    """One step to its end, waited for. Returns the step to go back to, or None."""
    result: Any = step(passage)
    while result is not None and isawaitable(result):
        result = step.answered(passage, await result)
    return None if result is None else str(result)
