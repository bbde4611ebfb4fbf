"""The supervisor: a composition root. It binds the proxy's socket, runs the workers on it, starts a dead one again, and serves
health and metrics. It handles no request and no secret but by passing its environment on."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence

import structlog

from firewall.backends.catalogs import KEY_VARIABLE, made
from firewall.backends.lifeline import announce, watch
from firewall.settings import Settings
from gateway.admin import Admin
from gateway.children import Workers

BACKLOG = 2048
WORKER = (sys.executable, "-m", "gateway.worker")

log = structlog.get_logger()


def main(settings: Settings, *, lifeline: int | None, ready: int | None, worker: Sequence[str] = WORKER) -> int:
    """Blocks until SIGTERM, SIGINT or the end of the lifeline; returns the exit status."""
    missing = [
        name
        for name, value in (
            ("DATABASE_URL", settings.database_url),
            ("OPA_URL", settings.opa_url),
            ("ENCRYPTION_MASTER_KEY", settings.master_key),
        )
        if value is None
    ]
    if missing:
        log.error("settings.missing", names=missing)
        return 2
    try:
        listening = bind(settings.proxy_host, settings.proxy_port)
    except OSError as error:
        log.error(
            "gateway.cannot-listen",
            address=f"{settings.proxy_host}:{settings.proxy_port}",
            reason=error.strerror,
            remedy="stop what uses it, or set AAF_PROXY_PORT",
        )
        return 1
    with listening:
        return asyncio.run(_supervise(settings, listening, lifeline, ready, worker))


def bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio switches Nagle off only where it is named
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening


async def _supervise(
    settings: Settings, listening: socket.socket, lifeline: int | None, ready: int | None, worker: Sequence[str]
) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    if lifeline is not None:
        watch(lifeline, stopping.set)
    with tempfile.TemporaryDirectory(prefix="aaf-metrics-") as metrics:
        try:
            catalogs = await made(settings.cache_dir)
        except OSError as error:
            log.error("catalogs.cannot-make", reason=str(error), remedy="set AAF_CACHE_DIR to a folder that may be written to")
            return 1
        if stopping.is_set():
            return 0
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": metrics, KEY_VARIABLE: catalogs.hex()}
        workers = Workers(worker, count=settings.gateway_workers, listening=listening.fileno(), environment=environment)
        admin = Admin(settings, workers, metrics)
        try:
            await admin.start()
        except OSError as error:
            log.error(
                "admin.cannot-listen",
                port=settings.gateway_admin_port,
                reason=error.strerror,
                remedy="stop what uses it, or set AAF_GATEWAY_ADMIN_PORT",
            )
            return 1
        try:
            workers.start()
            loop.add_signal_handler(signal.SIGHUP, workers.reload)
            stopped = loop.create_task(stopping.wait())
            failed = loop.create_task(workers.failed.wait())
            started = loop.create_task(workers.all_ready())
            await asyncio.wait([stopped, failed, started], return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                host, port = listening.getsockname()[:2]
                scheme = "http" if settings.tls_cert_file is None else "https"
                shown = f"[{host}]" if ":" in host else host
                log.info("gateway.ready", address=f"{shown}:{port}", workers=settings.gateway_workers)
                if ready is not None:
                    announce(ready, {"proxy_url": f"{scheme}://{shown}:{port}", "admin_url": admin.url})
                await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
            for task in (stopped, failed, started):
                task.cancel()
            return 1 if workers.failed.is_set() and not stopping.is_set() else 0
        finally:
            admin.draining = True
            await workers.stop(settings.drain_seconds + 10)
            await admin.stop()
