"""One gateway worker: a composition root. `python -m gateway.worker --listen FD --lifeline FD --ready FD`."""

import argparse
import asyncio
import signal
import ssl
import sys
import tempfile
from datetime import UTC, datetime
from socket import socket
from typing import Any

import asyncpg
import structlog
import uvloop

from addons.guard import Firewall
from addons.services import Limits, Services
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from certs import ca
from certs.bundle import system_roots
from certs.leaf import LeafIssuer
from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.opa import OpaEngine
from firewall.backends.postgres.authority import load_or_create
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.backends.resolver import SystemResolver
from firewall.digest import DIGEST_KEY
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer, Unsealable
from firewall.settings import BadSettings, Settings, decode_key, load
from gateway.children import CANNOT
from gateway.master import GatewayMaster
from gateway.timeouts import Patience, Timeouts
from gateway.tls import MemoryTls

SWEEP_SECONDS = 0.5

log = structlog.get_logger()


def sealer_of(settings: Settings) -> Sealer:
    if settings.master_key is None:
        raise SystemExit("ENCRYPTION_MASTER_KEY is not set")
    previous = settings.master_key_previous
    return Sealer(decode_key(settings.master_key), None if previous is None else decode_key(previous))


async def serve(settings: Settings, *, listening: socket, lifeline: int | None, ready: int | None) -> int:
    """Runs until SIGTERM, SIGINT or the end of the lifeline, then drains. Returns the exit status."""
    if settings.database_url is None or settings.opa_url is None:
        raise SystemExit("DATABASE_URL and OPA_URL are needed")
    sealer = sealer_of(settings)
    store = await Store.connect(settings.database_url.get_secret_value(), sealer=sealer, process="gateway")
    engine = OpaEngine(settings.opa_url)
    try:
        authority = ca.load(*await load_or_create(store.pool, sealer, _new_authority))
        issuer = LeafIssuer(authority, now=_now)
        with tempfile.NamedTemporaryFile(prefix="aaf-roots-", suffix=".pem") as roots:
            roots.write(system_roots())
            if settings.upstream_ca_file is not None:
                roots.write(b"\n" + settings.upstream_ca_file.read_bytes())
            roots.flush()
            return await _run(settings, store, engine, issuer, listening, lifeline, ready, roots.name)
    finally:
        await engine.close()
        await store.close()


async def _run(
    settings: Settings,
    store: Store,
    engine: OpaEngine,
    issuer: LeafIssuer,
    listening: socket,
    lifeline: int | None,
    ready: int | None,
    upstream_roots: str,
) -> int:
    loop = asyncio.get_running_loop()
    room = WaitingRoom(store.approvals.states)
    services = Services(
        agents=store.agents,
        revisions=store.revisions,
        engine=engine,
        resolver=SystemResolver(settings.connect_to),
        ledger=store.ledger,
        approvals=store.approvals,
        room=room,
        tunnels=Tunnels(),
        limits=Limits(
            hold_seconds=settings.hold_seconds,
            body_hold_bytes=settings.body_hold_bytes,
            holds_per_agent=settings.holds_per_agent,
        ),
        digest_key=store.sealer.derive(DIGEST_KEY),
        now=_now,
        clock=loop.time,
    )
    timeouts = Timeouts(
        Patience(
            head=settings.head_seconds,
            idle=settings.idle_seconds,
            connect=settings.connect_seconds,
            response=settings.response_seconds,
        )
    )
    master = GatewayMaster(
        firewall=lambda close_client: Firewall(services, close_client=close_client),
        timeouts=timeouts,
        tls=MemoryTls(issuer),
        listening=listening,
        listener_tls=_listener_tls(settings),
        upstream_roots=upstream_roots,
    )
    await store.listen("aaf_approvals", room.heard)
    store.every_second(master.guard.every_second)
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    if lifeline is not None:
        watch(lifeline, stopping.set)
    running = loop.create_task(master.run())
    sweeping = loop.create_task(_sweep(master))
    try:
        await _first(loop.create_task(master.ready.wait()), running)
        if ready is not None:
            announce(ready, {"ready": True})
        log.info("worker.ready", writer=store.writer)
        await _first(loop.create_task(stopping.wait()), running)
        if running.done():
            running.result()
            return 1
        cut = await master.drain(settings.drain_seconds)
        await running
        log.info("worker.stopped", cut=cut)
        return 0
    finally:
        sweeping.cancel()


async def _first(*tasks: "asyncio.Task[Any]") -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _sweep(master: GatewayMaster) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        master.timeouts.sweep(master.proxy)


def _listener_tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _new_authority() -> tuple[str, bytes]:
    made = ca.create(_now())
    return ca.certificate_pem(made), ca.key_pem(made)


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gateway.worker")
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--ready", type=int)
    options = parser.parse_args(arguments)
    configure_logs()
    listening = socket(fileno=options.listen)
    listening.setblocking(False)
    try:
        return uvloop.run(serve(load(), listening=listening, lifeline=options.lifeline, ready=options.ready))
    except BadSettings as error:
        log.error("gateway.cannot-start", reason=str(error))
        return CANNOT
    except UnsafeRole as error:
        log.error("gateway.cannot-start", reason=f"DATABASE_URL: {error}")
        return CANNOT
    except Unsealable as error:
        remedy = "start it with the ENCRYPTION_MASTER_KEY that this database was first used with"
        log.error("gateway.cannot-start", reason=f"ENCRYPTION_MASTER_KEY: {error}", remedy=remedy)
        return CANNOT
    except (asyncpg.PostgresError, asyncpg.InterfaceError, LedgerUnavailable, OSError, TimeoutError) as error:
        log.error("gateway.cannot-start", reason=f"DATABASE_URL: {type(error).__name__}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
