"""The composition root of the worker: the only module here that knows Postgres."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial

import structlog
import uvloop

from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.postgres.down import DOWN
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.backends.postgres.upkeep import PostgresUpkeep
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer
from firewall.settings import Settings, decode_key
from worker import expiry, partitions
from worker.admin import Admin
from worker.jobs import Job, Jobs, Metrics

PROCESS = "worker"

log = structlog.get_logger()


class CannotStart(Exception):
    """What is missing or taken, by name."""


def main(settings: Settings, *, lifeline: int | None = None, ready: int | None = None) -> int:
    """Works until SIGTERM, SIGINT or the end of `lifeline`. Exit status 0, 1 (could not start), 2 (a setting is missing)."""
    configure_logs()
    for name, value in (("DATABASE_URL", settings.database_url), ("ENCRYPTION_MASTER_KEY", settings.master_key)):
        if value is None:
            sys.stderr.write(f"{name} is required\n")
            return 2
    try:
        uvloop.run(_work(settings, lifeline, ready))
    except CannotStart as error:
        sys.stderr.write(f"the worker cannot start: {error}\n")
        return 1
    return 0


async def _work(settings: Settings, lifeline: int | None, ready: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if lifeline is not None:
        watch(lifeline, stopping.set)
    async with _store(settings) as store:
        upkeep = PostgresUpkeep(store.pool)
        jobs = jobs_of(store, upkeep)
        admin = Admin(jobs, upkeep.ping)
        async with _serving(admin, settings.worker_admin_port) as url:
            running = loop.create_task(jobs.run(stopping))
            if ready is not None:
                announce(ready, {"admin_url": url})
            log.info("worker.ready", url=url, jobs=[job.name for job in jobs.jobs])
            await stopping.wait()
            admin.stopping = True
            log.info("worker.stopping")
            await running


def jobs_of(store: Store, upkeep: PostgresUpkeep) -> Jobs:
    """Everything that the worker does."""
    metrics = Metrics()
    return Jobs(
        jobs=(
            Job(
                name="expiry",
                every=expiry.EVERY_SECONDS,
                run=partial(expiry.expire_due, store.ledger, upkeep.due, metrics.expired.inc),
            ),
            Job(
                name="partitions",
                every=partitions.EVERY_SECONDS,
                run=partial(partitions.make_ahead, upkeep.ensure_partitions),
            ),
        ),
        metrics=metrics,
    )


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    if settings.database_url is None or settings.master_key is None:
        raise CannotStart("DATABASE_URL and ENCRYPTION_MASTER_KEY are required")
    previous = settings.master_key_previous
    sealer = Sealer(decode_key(settings.master_key), None if previous is None else decode_key(previous))
    try:
        store = await Store.connect(settings.database_url.get_secret_value(), sealer=sealer, process=PROCESS)
    except (UnsafeRole, LedgerUnavailable, *DOWN) as error:
        raise CannotStart(f"DATABASE_URL: {type(error).__name__}: {error}") from error
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _serving(admin: Admin, port: int) -> AsyncIterator[str]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(admin.serving(port))
        except OSError as error:
            raise CannotStart(f"AAF_WORKER_ADMIN_PORT={port}: {error.strerror}") from error
        yield url
