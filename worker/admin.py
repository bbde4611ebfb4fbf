"""Health and metrics of the worker, on loopback."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from firewall.errors import LedgerUnavailable
from worker.jobs import Jobs

HOST = "127.0.0.1"


class Admin:
    """`GET /health/live`, `/health/ready` (Postgres and each job by name), `/metrics`. `ping` raises LedgerUnavailable."""

    def __init__(self, jobs: Jobs, ping: Callable[[], Awaitable[None]]) -> None:
        self._jobs = jobs
        self._ping = ping
        self.stopping = False

    @contextlib.asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[str]:
        """Listens, and gives the URL. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        checks = {"postgres": await self._postgres(), **self._jobs.healthy, "running": not self.stopping}
        ok = all(checks.values())
        return web.json_response({"status": "ok" if ok else "unavailable", "checks": checks}, status=200 if ok else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._jobs.metrics.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _postgres(self) -> bool:
        try:
            await self._ping()
        except LedgerUnavailable:
            return False
        return True
