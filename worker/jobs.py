"""Runs jobs over and over. One that fails is logged, counted, and tried again later and later; the others go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from firewall.errors import LedgerUnavailable

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 10.0
RUN_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`run` does a bounded piece of work and says whether more is waiting. `every`: seconds from one end to the next start."""

    name: str
    every: float
    run: Callable[[], Awaitable[bool]]


class Metrics:
    """What the jobs count. `job` is the only label, and its values are the jobs' names."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter("aaf_worker_runs", "Runs of a job.", ["job", "result"], registry=self.registry)
        self.succeeded_at = Gauge(
            "aaf_worker_last_success_timestamp_seconds",
            "When a job last succeeded, Unix time.",
            ["job"],
            registry=self.registry,
        )
        self.expired = Counter("aaf_worker_approvals_expired", "Approvals that this worker expired.", registry=self.registry)


@dataclass(slots=True, kw_only=True)
class Jobs:
    """`healthy`: whether each job's last run succeeded; False before its first."""

    jobs: tuple[Job, ...]
    metrics: Metrics
    healthy: dict[str, bool] = field(default_factory=dict)

    async def run(self, stopping: asyncio.Event) -> None:
        """Runs every job until `stopping`; a run that has begun is let finish, within its time."""
        self.healthy.update((job.name, False) for job in self.jobs)
        async with asyncio.TaskGroup() as group:
            for job in self.jobs:
                group.create_task(self._repeat(job, stopping))

    async def _repeat(self, job: Job, stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set():
            more = await self._once(job)
            failures = 0 if self.healthy[job.name] else failures + 1
            pause = retry_after(failures) if failures else 0.0 if more else job.every
            try:
                async with asyncio.timeout(pause):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def _once(self, job: Job) -> bool:
        more = False
        try:
            async with asyncio.timeout(RUN_SECONDS):
                more = await job.run()
        except (LedgerUnavailable, TimeoutError) as error:
            self._failed(job)
            log.warning("job.failed", job=job.name, error=type(error).__name__)
        except Exception as error:
            self._failed(job)
            log.exception("job.failed", job=job.name, error=type(error).__name__)
        else:
            self.healthy[job.name] = True
            self.metrics.runs.labels(job.name, "ok").inc()
            self.metrics.succeeded_at.labels(job.name).set(time.time())
        return more

    def _failed(self, job: Job) -> None:
        self.healthy[job.name] = False
        self.metrics.runs.labels(job.name, "failed").inc()


def retry_after(failures: int) -> float:
    """Seconds before the next try: doubling, bounded."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), LAST_RETRY_SECONDS)
