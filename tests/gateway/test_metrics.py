"""What a worker holds open, as it is scraped."""

import asyncio

from prometheus_client import REGISTRY

from gateway.metrics import measure
from tests.gateway.rig import Rig, plain, until


def gauges(rig: Rig) -> tuple[float | None, float | None]:
    measure(rig.gateway)
    return tuple(REGISTRY.get_sample_value(name) for name in ("aaf_client_connections", "aaf_upstream_idle_connections"))  # type: ignore[return-value]


async def test_open_connections_are_counted_on_both_sides(rig: Rig) -> None:
    assert gauges(rig) == (0, 0)
    wire = await rig.connect()
    await wire.ask(plain("/"))
    assert gauges(rig) == (1, 1)
    await wire.close()
    await until(lambda: gauges(rig) == (0, 1))


async def test_tasks_are_counted_until_they_are_done(rig: Rig) -> None:
    measure(rig.gateway)
    before = REGISTRY.get_sample_value("aaf_tasks") or 0
    done = asyncio.Event()
    task = asyncio.create_task(done.wait())
    measure(rig.gateway)
    assert REGISTRY.get_sample_value("aaf_tasks") == before + 1
    done.set()
    await task
    measure(rig.gateway)
    assert REGISTRY.get_sample_value("aaf_tasks") == before
