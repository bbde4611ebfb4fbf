"""Health and metrics of the worker, on loopback."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from worker.jobs import Jobs
from worker.metrics import MEDIA_TYPE, Metrics

CHECK_SECONDS = 2.0


class Admin:
    """`GET /health/live`, `/health/ready` (names each dependency), `/metrics`. `ping` raises when the database is away."""

    def __init__(self, *, port: int, ping: Callable[[], Awaitable[object]], jobs: Jobs, metrics: Metrics) -> None:
        self._port = port
        self._ping = ping
        self._jobs = jobs
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.draining = False
        self.url = ""

    async def start(self) -> None:
        """Raises OSError when the port cannot be had."""
        app = web.Application()
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._show)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        checks = {"postgres": await self._postgres(), "jobs": not self._jobs.failing, "accepting": not self.draining}
        ok = all(checks.values())
        body = {"status": "ok" if ok else "unavailable", "checks": checks, "failing_jobs": sorted(self._jobs.failing)}
        return web.json_response(body, status=200 if ok else 503)

    async def _show(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": MEDIA_TYPE})

    async def _postgres(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._ping()
        except Exception:  # whatever it is, the answer is that the database does not answer
            return False
        return True
