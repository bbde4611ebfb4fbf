"""The composition root of the worker: the only module here that knows Postgres."""

import asyncio
import signal
import sys

import asyncpg
import structlog

from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.backends.postgres.upkeep import Upkeep
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer
from firewall.settings import Settings, decode_key
from worker import expiry, partitions
from worker.admin import Admin
from worker.expiry import Expiry
from worker.jobs import Job, Jobs
from worker.metrics import Metrics
from worker.partitions import Partitions

PROCESS = "worker"

log = structlog.get_logger()


class CannotStart(Exception):
    """What is missing, by name."""


def main(settings: Settings, *, lifeline: int | None = None, ready: int | None = None) -> int:
    """Runs until SIGTERM, SIGINT or the end of `lifeline`. Exit status 0, 1 (could not start), 2 (a setting is missing)."""
    configure_logs()
    for name, value in (("DATABASE_URL", settings.database_url), ("ENCRYPTION_MASTER_KEY", settings.master_key)):
        if value is None:
            sys.stderr.write(f"{name} is required\n")
            return 2
    try:
        asyncio.run(_work(settings, lifeline, ready))
    except CannotStart as error:
        sys.stderr.write(f"the worker cannot start: {error}\n")
        return 1
    return 0


async def _work(settings: Settings, lifeline: int | None, ready: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        watch(lifeline, stop.set)
    store = await _connect(settings)
    try:
        metrics, upkeep = Metrics(), Upkeep(store.pool)
        jobs = Jobs(
            (
                Job(name="expiry", every=expiry.EVERY_SECONDS, run=Expiry(upkeep.due, store.ledger, metrics).run),
                Job(name="partitions", every=partitions.EVERY_SECONDS, run=Partitions(upkeep.ensure_action_partitions).run),
            ),
            metrics,
        )
        admin = Admin(port=settings.worker_admin_port, ping=upkeep.ping, jobs=jobs, metrics=metrics)
        try:
            await admin.start()
        except OSError as error:
            raise CannotStart(f"AAF_WORKER_ADMIN_PORT={settings.worker_admin_port}: {error}") from error
        try:
            jobs.start()
            if ready is not None:
                announce(ready, {"admin_url": admin.url})
            log.info("worker.ready", url=admin.url)
            await stop.wait()
            log.info("worker.draining")
        finally:
            admin.draining = True
            await jobs.stop()
            await admin.stop()
    finally:
        await store.close()


async def _connect(settings: Settings) -> Store:
    if settings.database_url is None or settings.master_key is None:
        raise CannotStart("DATABASE_URL and ENCRYPTION_MASTER_KEY are required")
    previous = settings.master_key_previous
    sealer = Sealer(decode_key(settings.master_key), None if previous is None else decode_key(previous))
    try:
        return await Store.connect(settings.database_url.get_secret_value(), sealer=sealer, process=PROCESS)
    except (UnsafeRole, LedgerUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise CannotStart(f"DATABASE_URL: {type(error).__name__}: {error}") from error
