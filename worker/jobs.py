"""When jobs run: each on its own, again after its interval, and sooner after a failure. A failure is logged and counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from worker.metrics import Metrics

RUN_SECONDS = 30.0
"""A run that takes longer has failed."""
BACK_OFF = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`run` says whether there is more to do at once; it must be safe to run twice. `every`: seconds between runs."""

    name: str
    every: float
    run: Callable[[], Awaitable[bool]]


class Jobs:
    """`start` runs every job at once, then each at its time."""

    def __init__(self, jobs: Sequence[Job], metrics: Metrics) -> None:
        self._jobs = tuple(jobs)
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self.failing: set[str] = set()
        """The jobs whose last run failed."""
        for job in jobs:
            for result in ("ok", "failed"):
                metrics.runs.labels(job.name, result)

    def start(self) -> None:
        self._tasks = [asyncio.get_running_loop().create_task(self._keep(job), name=job.name) for job in self._jobs]

    async def stop(self) -> None:
        """Ends running jobs where they are: what they handed to the ledger, its `close` waits for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, job: Job) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(RUN_SECONDS):
                    more = await job.run()
            except Exception as error:
                pause = min(BACK_OFF[min(failures, len(BACK_OFF) - 1)], max(job.every, BACK_OFF[0]))
                failures += 1
                self.failing.add(job.name)
                self._metrics.runs.labels(job.name, "failed").inc()
                log.warning(
                    "job.failed",
                    job=job.name,
                    error=type(error).__name__,
                    failures=failures,
                    again_in=pause,
                    exc_info=failures == 1,  # an outage is told once at length
                )
                await asyncio.sleep(pause)
                continue
            failures = 0
            self.failing.discard(job.name)
            self._metrics.runs.labels(job.name, "ok").inc()
            self._metrics.succeeded.labels(job.name).set(time.time())
            if not more:
                await asyncio.sleep(job.every)
