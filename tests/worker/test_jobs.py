"""Jobs run again after their interval, at once while there is more, and sooner or later after a failure."""

import asyncio

import pytest

from worker import jobs as module
from worker.jobs import Job, Jobs
from worker.metrics import Metrics


def runs(metrics: Metrics, job: str, result: str) -> float:
    return metrics.registry.get_sample_value("aaf_worker_job_runs_total", {"job": job, "result": result}) or 0


async def until(fact: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await fact.wait()


async def test_a_job_that_has_more_to_do_runs_again_at_once() -> None:
    left, done = [True, True, False], asyncio.Event()

    async def run() -> bool:
        more = left.pop(0)
        if not left:
            done.set()
        return more

    metrics = Metrics()
    jobs = Jobs([Job(name="x", every=3600, run=run)], metrics)
    jobs.start()
    await until(done)
    await asyncio.sleep(0)
    await jobs.stop()
    assert left == []
    assert runs(metrics, "x", "ok") == 3
    assert (metrics.registry.get_sample_value("aaf_worker_job_last_success_seconds", {"job": "x"}) or 0) > 0


async def test_a_failing_job_is_counted_and_retried_and_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF", (0.01,))
    failures, tries, healed, other_ran = 2, 0, asyncio.Event(), asyncio.Event()
    seen_failing: list[set[str]] = []

    async def bad() -> bool:
        nonlocal tries
        seen_failing.append(set(jobs.failing))
        tries += 1
        if tries <= failures:
            raise OSError("the database is away")
        healed.set()
        return False

    async def good() -> bool:
        other_ran.set()
        return False

    metrics = Metrics()
    jobs = Jobs([Job(name="bad", every=3600, run=bad), Job(name="good", every=3600, run=good)], metrics)
    jobs.start()
    await until(other_ran)
    await until(healed)
    await asyncio.sleep(0)
    failing = set(jobs.failing)
    await jobs.stop()
    assert seen_failing == [set(), {"bad"}, {"bad"}]
    assert failing == set()
    assert (runs(metrics, "bad", "failed"), runs(metrics, "bad", "ok"), runs(metrics, "good", "ok")) == (2, 1, 1)


async def test_a_run_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUN_SECONDS", 0.05)
    began, again = 0, asyncio.Event()

    async def hang() -> bool:
        nonlocal began
        began += 1
        if began == 2:
            again.set()
        await asyncio.Event().wait()
        return False

    metrics = Metrics()
    jobs = Jobs([Job(name="x", every=0.01, run=hang)], metrics)
    jobs.start()
    await until(again)
    await jobs.stop()
    assert runs(metrics, "x", "failed") >= 1
    assert jobs.failing == {"x"}
