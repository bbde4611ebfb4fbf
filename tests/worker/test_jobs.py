"""One job's failure is counted and retried, and stops neither itself nor the others."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from firewall.errors import LedgerUnavailable
from worker import jobs
from worker.jobs import Job, Jobs, Metrics, retry_after


def made(*pairs: tuple[str, Callable[[], Awaitable[bool]]]) -> Jobs:
    return Jobs(jobs=tuple(Job(name=name, every=0.01, run=run) for name, run in pairs), metrics=Metrics())


def runs(made: Jobs, job: str, result: str) -> float:
    return made.metrics.registry.get_sample_value("aaf_worker_runs_total", {"job": job, "result": result}) or 0


@pytest.mark.parametrize("error", [LedgerUnavailable("away"), ValueError("a defect"), TimeoutError()])
async def test_a_failing_job_is_counted_and_retried_until_it_succeeds(error: Exception) -> None:
    tries, stopping = 0, asyncio.Event()

    async def job() -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise error
        stopping.set()
        return False

    found = made(("it", job))
    async with asyncio.timeout(20):
        await found.run(stopping)
    assert (runs(found, "it", "failed"), runs(found, "it", "ok"), found.healthy) == (2, 1, {"it": True})


async def test_a_failing_job_does_not_stop_another() -> None:
    good, stopping = 0, asyncio.Event()

    async def bad() -> bool:
        raise LedgerUnavailable("away")

    async def other() -> bool:
        nonlocal good
        good += 1
        if good == 3:
            stopping.set()
        return False

    found = made(("bad", bad), ("other", other))
    async with asyncio.timeout(20):
        await found.run(stopping)
    assert (runs(found, "other", "ok"), found.healthy["bad"]) == (3, False)


async def test_a_job_with_more_to_do_goes_on_at_once() -> None:
    left, stopping = [True, True, False], asyncio.Event()

    async def job() -> bool:
        more = left.pop(0)
        if not left:
            stopping.set()
        return more

    async with asyncio.timeout(20):
        await Jobs(jobs=(Job(name="it", every=3600, run=job),), metrics=Metrics()).run(stopping)
    assert left == []


async def test_a_run_that_has_begun_is_let_finish() -> None:
    stopping, finished = asyncio.Event(), asyncio.Event()

    async def job() -> bool:
        stopping.set()
        for _ in range(10):
            await asyncio.sleep(0)
        finished.set()
        return False

    await made(("it", job)).run(stopping)
    assert finished.is_set()


async def test_a_run_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RUN_SECONDS", 0.01)
    stopping, tries = asyncio.Event(), 0

    async def job() -> bool:
        nonlocal tries
        tries += 1
        if tries == 2:
            stopping.set()
        await asyncio.Event().wait()
        return False

    found = made(("it", job))
    async with asyncio.timeout(20):
        await found.run(stopping)
    assert runs(found, "it", "failed") == 2


def test_retries_come_later_and_later_but_never_stop() -> None:
    pauses = [retry_after(failures) for failures in range(1, 100)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (jobs.FIRST_RETRY_SECONDS, jobs.LAST_RETRY_SECONDS)
