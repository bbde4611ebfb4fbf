"""The walk along the steps: whatever a step does, the walk ends once, with an answer for whoever waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from addons.passage import Passage, Step
from addons.walk import Walk, take
from firewall.errors import Defect, DeniedByPolicy, LedgerUnavailable, Refused
from tests.addons.made import Made

Does = Callable[[Passage], Any]
NO = DeniedByPolicy("no")


class Some(Step):
    """A step that does what it is told, and hands what it waited for to `then`."""

    name = "some"

    def __init__(self, made: Made, name: str, does: Does, then: Callable[[Any], Any] = lambda result: None) -> None:
        super().__init__(made.services)
        self.name = name  # type: ignore[misc]
        self.calls = 0
        self._does = does
        self._then = then

    def __call__(self, passage: Passage) -> Any:
        self.calls += 1
        return self._does(passage)

    def answered(self, passage: Passage, result: Any) -> Any:
        return self._then(result)


class Walked:
    """A walk along these steps. `ended`: how it ended, each time that it said so."""

    def __init__(self, made: Made, *steps: Some, record: Does = lambda _: _soon(), passage: Passage | None = None) -> None:
        self.passage = made.classified() if passage is None else passage
        self.ended: list[Refused | None] = []
        self.recorded: list[Refused | None] = []
        self.record = Some(made, "record", self._write(record))
        self.fails: Exception | None = None
        numbers = {step.name: number for number, step in enumerate(steps)}
        self.walk = Walk(self.passage, steps, record=self.record, numbers=numbers, ended=self._end)

    def _write(self, record: Does) -> Does:
        def write(passage: Passage) -> Any:
            self.recorded.append(passage.refusal)
            return record(passage)

        return write

    def _end(self, passage: Passage, refused: Refused | None) -> None:
        assert passage is self.passage
        self.ended.append(refused)
        if self.fails is not None:
            raise self.fails

    async def go(self, start: int = 0) -> None:
        future = self.walk.go(start)
        if future is not None:
            async with asyncio.timeout(20):
                await future


async def _soon(result: Any = None) -> Any:
    await asyncio.sleep(0)
    return result


def nothing(_passage: Passage) -> None:
    pass


def refuse(_passage: Passage) -> None:
    raise NO


def fail(_passage: Passage) -> None:
    raise RuntimeError("made to fail")


@pytest.fixture
async def made() -> Made:
    return Made()


async def test_steps_that_wait_for_nothing_are_done_at_once(made: Made) -> None:
    steps = [Some(made, "a", nothing), Some(made, "b", nothing)]
    walked = Walked(made, *steps)
    assert walked.walk.go() is None
    assert ([step.calls for step in steps], walked.ended, walked.passage.step) == ([1, 1], [None], "b")


async def test_what_a_step_waits_for_is_handed_to_it_and_the_next_comes_after(made: Made) -> None:
    got: list[Any] = []
    future = asyncio.get_running_loop().create_future()
    after = Some(made, "after", nothing)
    walked = Walked(made, Some(made, "waits", lambda _: future, got.append), after)
    waited = walked.walk.go()
    assert waited is not None
    assert (after.calls, walked.ended) == (0, [])
    future.set_result("decision")
    await waited
    assert (got, after.calls, walked.ended) == (["decision"], 1, [None])


async def test_a_step_may_wait_again_for_what_it_got(made: Made) -> None:
    results = iter([_soon("second"), None])
    walked = Walked(made, Some(made, "waits", lambda _: _soon("first"), lambda _: next(results)))
    await walked.go()
    assert walked.ended == [None]


async def test_a_step_may_send_the_walk_back_by_name(made: Made) -> None:
    again = iter(["first", None])
    first, second = Some(made, "first", nothing), Some(made, "second", lambda _: next(again))
    walked = Walked(made, first, second)
    await walked.go()
    assert (first.calls, second.calls, walked.ended) == (2, 2, [None])


async def test_a_walk_may_begin_in_the_middle(made: Made) -> None:
    first, second = Some(made, "first", nothing), Some(made, "second", nothing)
    await Walked(made, first, second).go(1)
    assert (first.calls, second.calls) == (0, 1)


async def test_a_parked_passage_goes_no_further(made: Made) -> None:
    def park(passage: Passage) -> None:
        passage.parked = True

    after = Some(made, "after", nothing)
    walked = Walked(made, Some(made, "parks", park), after)
    await walked.go()
    assert (walked.ended, after.calls, walked.passage.step) == ([None], 0, "parks")


# --- refusals ----------------------------------------------------------------------------------------------------------------


def _raises_later(_passage: Passage) -> Any:
    async def work() -> None:
        await asyncio.sleep(0)
        raise NO

    return work()


@pytest.mark.parametrize("does", [refuse, _raises_later], ids=["at once", "later"])
async def test_a_refusal_is_recorded_before_the_walk_ends_with_it(made: Made, does: Does) -> None:
    written = asyncio.get_running_loop().create_future()
    after = Some(made, "after", nothing)
    walked = Walked(made, Some(made, "refuses", does), after, record=lambda _: written)
    waited = walked.walk.go()
    for _ in range(4):
        await asyncio.sleep(0)
    assert (walked.recorded, walked.ended) == ([NO], [])
    written.set_result(None)
    assert waited is not None
    await waited
    assert (walked.ended, after.calls, walked.passage.refusal) == ([NO], 0, NO)


def _fails_in_answered(made: Made) -> Some:
    return Some(made, "broken", lambda _: _soon(), lambda _: fail(made.passage()))


@pytest.mark.parametrize(
    "step",
    [
        lambda made: Some(made, "broken", fail),
        _fails_in_answered,
        lambda made: Some(made, "broken", lambda _: "nowhere"),
        lambda made: Some(made, "broken", lambda _: 5),
        lambda made: Some(made, "broken", lambda _: _soon(), lambda _: "nowhere"),
    ],
    ids=["raises", "raises on what it got", "sends back to no step", "gives back nonsense", "sends back later to no step"],
)
async def test_whatever_goes_wrong_in_a_step_is_a_defect_that_names_it_and_is_recorded(
    made: Made, step: Callable[[Made], Some]
) -> None:
    walked = Walked(made, step(made))
    with capture_logs() as logs:
        await walked.go()
    (ended,) = walked.ended
    assert isinstance(ended, Defect)
    assert (ended.detail, walked.recorded) == ("the step broken failed", [ended])
    assert [(entry["event"], entry["step"]) for entry in logs] == [("step.failed", "broken")]


async def test_a_wait_that_is_cancelled_is_a_defect_like_any(made: Made) -> None:
    future = asyncio.get_running_loop().create_future()
    walked = Walked(made, Some(made, "waits", lambda _: future))
    waited = walked.walk.go()
    future.cancel()
    assert waited is not None
    await waited
    assert isinstance(walked.ended[0], Defect)


async def test_a_cancellation_inside_a_step_is_a_defect_like_any(made: Made) -> None:
    def cancelled(_passage: Passage) -> None:
        raise asyncio.CancelledError

    walked = Walked(made, Some(made, "broken", cancelled))
    await walked.go()
    assert isinstance(walked.ended[0], Defect)


async def test_a_refusal_that_cannot_be_recorded_is_told_as_that_and_not_tried_for_ever(made: Made) -> None:
    unavailable = LedgerUnavailable("no")

    def write(_passage: Passage) -> Any:
        raise unavailable

    walked = Walked(made, Some(made, "refuses", refuse), record=write)
    await walked.go()
    assert (walked.ended, walked.record.calls) == ([unavailable], 1)


async def test_a_record_that_breaks_later_is_a_defect_that_names_it(made: Made) -> None:
    async def write(_passage: Passage) -> None:
        raise RuntimeError("made to fail")

    walked = Walked(made, Some(made, "refuses", refuse), record=write)
    await walked.go()
    (ended,) = walked.ended
    assert isinstance(ended, Defect)
    assert (ended.detail, walked.record.calls) == ("the step record failed", 1)


async def test_what_belongs_to_nobody_is_not_recorded(made: Made) -> None:
    walked = Walked(made, Some(made, "refuses", refuse), passage=made.passage())
    assert walked.walk.go() is None
    assert (walked.ended, walked.record.calls) == ([NO], 0)


async def test_what_is_recorded_as_allowed_gets_no_second_decision(made: Made) -> None:
    passage = made.classified()
    passage.recorded = True
    walked = Walked(made, Some(made, "refuses", refuse), passage=passage)
    await walked.go()
    assert (walked.ended, walked.record.calls, passage.refusal) == ([NO], 0, None)


# --- the end ------------------------------------------------------------------------------------------------------------------


async def test_an_end_that_fails_is_raised_to_whoever_waits(made: Made) -> None:
    walked = Walked(made, Some(made, "waits", lambda _: _soon()))
    walked.fails = RuntimeError("made to fail")
    with pytest.raises(RuntimeError, match="made to fail"):
        await walked.go()
    assert walked.ended == [None]


async def test_a_step_alone_is_taken_to_its_end(made: Made) -> None:
    results = iter([_soon("second"), "back"])
    step = Some(made, "waits", lambda _: _soon("first"), lambda _: next(results))
    assert await take(step, made.passage()) == "back"
    assert await take(Some(made, "quick", nothing), made.passage()) is None
    with pytest.raises(DeniedByPolicy):
        await take(Some(made, "refuses", refuse), made.passage())
