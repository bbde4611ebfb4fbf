"""Health and metrics of the gateway, on loopback."""

import asyncio

import asyncpg
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from firewall.backends.opa import OpaEngine
from firewall.backends.postgres.down import DOWN
from firewall.settings import Settings
from gateway.children import Workers

CHECK_SECONDS = 2.0


class Admin:
    """`GET /health/live`, `/health/ready` (names each dependency), `/metrics`."""

    def __init__(self, settings: Settings, workers: Workers, metrics_folder: str) -> None:
        self._settings = settings
        self._workers = workers
        self._folder = metrics_folder
        self._runner: web.AppRunner | None = None
        self._engine: OpaEngine | None = None
        self.draining = False
        self.url = ""

    async def start(self) -> None:
        if self._settings.opa_url is not None:
            self._engine = OpaEngine(self._settings.opa_url)
        app = web.Application()
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._settings.gateway_admin_port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._engine is not None:
            await self._engine.close()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        postgres, opa = await asyncio.gather(self._postgres(), self._opa())
        workers = self._workers.ready
        checks = {"postgres": postgres, "opa": opa, "workers": workers > 0, "accepting": not self.draining}
        ok = all(checks.values())
        body = {"status": "ok" if ok else "unavailable", "checks": checks, "workers": self._workers.states()}
        return web.json_response(body, status=200 if ok else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=self._folder)  # type: ignore[no-untyped-call]
        own = f"# TYPE aaf_workers_ready gauge\naaf_workers_ready {self._workers.ready}\n"
        own += f"# TYPE aaf_worker_restarts_total counter\naaf_worker_restarts_total {self._workers.restarts}\n"
        text = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=text + own.encode(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _postgres(self) -> bool:
        if self._settings.database_url is None:
            return False
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                connection = await asyncpg.connect(self._settings.database_url.get_secret_value())
                try:
                    return bool(await connection.fetchval("select true"))
                finally:
                    await connection.close()
        except (*DOWN, ValueError):
            return False

    async def _opa(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return self._engine is not None and await self._engine.ready()
        except TimeoutError:
            return False
