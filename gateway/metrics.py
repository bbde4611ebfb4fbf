"""What a worker holds open. What it counts of requests is in `addons/metrics.py`."""

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from gateway.engine import Engine

TASKS = Gauge("aaf_tasks", "Tasks that the gateway's workers have under way, their own included.", multiprocess_mode="livesum")
CLIENTS = Gauge("aaf_client_connections", "Open connections of agents.", multiprocess_mode="livesum")
IDLE = Gauge("aaf_upstream_idle_connections", "Connections to destinations that wait for a request.", multiprocess_mode="livesum")


def measure(engine: "Engine") -> None:
    """Called about twice a second."""
    TASKS.set(len(asyncio.all_tasks()))
    CLIENTS.set(len(engine))
    IDLE.set(len(engine.pool))
