"""Health names what is missing; metrics carry no label but a job's name."""

import asyncio

from firewall.errors import LedgerUnavailable
from tests.worker.harness import get
from worker.admin import Admin
from worker.jobs import Job, Jobs, Metrics


async def nothing() -> bool:
    return False


async def here() -> None:
    return None


async def away() -> None:
    raise LedgerUnavailable("away")


def jobs() -> Jobs:
    return Jobs(jobs=(Job(name="expiry", every=1, run=nothing),), metrics=Metrics())


async def test_ready_names_postgres_and_each_job() -> None:
    found = jobs()
    async with Admin(found, here).serving(0) as url:
        found.healthy["expiry"] = False
        status, body = await get(url + "/health/ready")
        assert (status, body["checks"]) == (503, {"postgres": True, "expiry": False, "running": True})
        found.healthy["expiry"] = True
        assert (await get(url + "/health/ready"))[0] == 200


async def test_it_lives_but_is_not_ready_without_postgres_or_while_it_stops() -> None:
    admin = Admin(jobs(), away)
    async with admin.serving(0) as url:
        assert (await get(url + "/health/live"))[0] == 200
        assert (await get(url + "/health/ready"))[1]["checks"]["postgres"] is False
        admin.stopping = True
        assert (await get(url + "/health/ready"))[1]["checks"]["running"] is False


async def test_metrics_count_runs_by_job() -> None:
    found = jobs()
    stopping = asyncio.Event()

    async def once() -> bool:
        stopping.set()
        return False

    found.jobs = (Job(name="expiry", every=1, run=once),)
    await found.run(stopping)
    async with Admin(found, here).serving(0) as url:
        status, text = await get(url + "/metrics")
    assert status == 200
    assert 'aaf_worker_runs_total{job="expiry",result="ok"} 1.0' in text
    assert "agent" not in text
