"""Hooks: every addon in its order, waited for where it must be; a failure is told, never swallowed (TRAPS 1)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.hooks import Hooks


class Heard:
    """Addons that write down what they heard; how each answers is what it is made with."""

    def __init__(self, *answers: Any) -> None:
        self.calls: list[str] = []
        self.told: list[bool] = []
        addons = [SimpleNamespace(request=self._hook(f"{number}", answer)) for number, answer in enumerate(answers)]
        self.hooks = Hooks([SimpleNamespace(), *addons])

    def _hook(self, name: str, answer: Any) -> Any:
        def hook(data: object) -> Any:
            self.calls.append(f"{name} {data}")
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return hook

    def run(self) -> None:
        self.hooks.run("request", "flow", self.told.append)


async def test_what_has_not_to_be_waited_for_is_done_at_once() -> None:
    heard = Heard(None, None)
    heard.run()
    assert (heard.calls, heard.told) == (["0 flow", "1 flow"], [True])


async def test_the_next_addon_comes_when_the_one_before_is_done() -> None:
    first = asyncio.get_running_loop().create_future()
    heard = Heard(first, None)
    heard.run()
    assert (heard.calls, heard.told) == (["0 flow"], [])
    first.set_result(None)
    await asyncio.sleep(0)
    assert (heard.calls, heard.told) == (["0 flow", "1 flow"], [True])


async def test_a_coroutine_is_waited_for_as_well() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    heard = Heard(work())
    heard.run()
    assert heard.told == []
    for _ in range(4):
        await asyncio.sleep(0)
    assert heard.told == [True]


@pytest.mark.parametrize("later", [False, True])
async def test_a_failure_is_told_and_logged_and_nobody_comes_after_it(later: bool) -> None:
    error = RuntimeError("made to fail")
    future = asyncio.get_running_loop().create_future()
    heard = Heard(future if later else error, None)
    with capture_logs() as logs:
        heard.run()
        if later:
            future.set_exception(error)
            await asyncio.sleep(0)
    assert (heard.calls, heard.told) == (["0 flow"], [False])
    assert [(entry["event"], entry["hook"]) for entry in logs] == [("hook.failed", "request")]


async def test_a_wait_that_is_cancelled_is_a_failure() -> None:
    future = asyncio.get_running_loop().create_future()
    heard = Heard(future, None)
    with capture_logs() as logs:
        heard.run()
        future.cancel()
        await asyncio.sleep(0)
    assert heard.told == [False]
    assert logs[0]["event"] == "hook.cancelled"


async def test_a_hook_that_nobody_has_is_well() -> None:
    told: list[bool] = []
    Hooks([SimpleNamespace(request=5)]).run("request", None, told.append)
    assert told == [True]


async def test_what_is_only_told_reports_its_failures_too() -> None:
    async def work() -> None:
        raise RuntimeError("made to fail")

    heard = Heard(RuntimeError("made to fail"))
    with capture_logs() as logs:
        assert not heard.hooks.tell("request", "flow")
        assert Heard(work()).hooks.tell("request", "flow")
        for _ in range(3):
            await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["hook.failed", "hook.failed"]
