"""One gateway worker: a composition root. `python -m gateway.worker --listen FD --lifeline FD --ready FD`."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from datetime import UTC, datetime
from socket import socket

import structlog
import uvloop

from addons import metrics as decisions
from addons.guard import Firewall
from addons.services import Services
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from firewall.backends.catalogs import KEY_VARIABLE, load_shipped
from firewall.backends.knowledge import Knowledge
from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.opa import OpaEngine
from firewall.backends.own_sockets import LocalSockets, ports_of
from firewall.backends.postgres.down import DOWN
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.backends.resolver import SystemResolver
from firewall.digest import DIGEST_KEY
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer, Unsealable
from firewall.settings import BadSettings, Settings, decode_key, load
from firewall.upstream_proxy import ProxyHop, parse_upstream_proxy
from gateway import metrics
from gateway.children import CANNOT
from gateway.dial import Dialer
from gateway.engine import Engine
from gateway.master import GatewayMaster, WrongMitmproxy
from gateway.trust import Trust, limits_of, patience_of

SWEEP_SECONDS = 0.5

log = structlog.get_logger()


def sealer_of(settings: Settings) -> Sealer:
    if settings.master_key is None:
        raise BadSettings("ENCRYPTION_MASTER_KEY is not set")
    previous = settings.master_key_previous
    return Sealer(decode_key(settings.master_key), None if previous is None else decode_key(previous))


async def serve(settings: Settings, *, listening: socket, lifeline: int | None, ready: int | None) -> int:
    """Runs until SIGTERM, SIGINT or the end of the lifeline, then drains. Returns the exit status."""
    if settings.database_url is None or settings.opa_url is None:
        raise BadSettings("DATABASE_URL and OPA_URL are needed")
    sealer, trust = sealer_of(settings), Trust(settings)
    try:
        store = await Store.connect(settings.database_url.get_secret_value(), sealer=sealer, process="gateway")
        opa = OpaEngine(settings.opa_url)
        try:
            return await _run(settings, store, opa, trust, listening, lifeline, ready)
        finally:
            await opa.close()
            await store.close()
    finally:
        trust.close()


async def _run(
    settings: Settings,
    store: Store,
    opa: OpaEngine,
    trust: Trust,
    listening: socket,
    lifeline: int | None,
    ready: int | None,
) -> int:
    loop = asyncio.get_running_loop()
    room = WaitingRoom(store.approvals.states)
    given = os.environ.get(KEY_VARIABLE)
    try:
        shipped = load_shipped(settings.cache_dir, None if given is None else bytes.fromhex(given))
    except (OSError, ValueError) as error:
        raise BadSettings(f"AAF_CACHE_DIR: the catalogs cannot be read: {error}") from error
    known = await Knowledge.open(shipped, store.catalogs, store.revisions)
    services = Services(
        agents=store.agents,
        revisions=store.revisions,
        engine=opa,
        resolver=SystemResolver(settings.connect_to, elsewhere=settings.upstream_proxy_resolves),
        own_sockets=LocalSockets(ports_of(settings, proxy=listening.getsockname()[1])),
        ledger=store.ledger,
        approvals=store.approvals,
        room=room,
        tunnels=Tunnels(),
        limits=limits_of(settings),
        digest_key=store.sealer.derive(DIGEST_KEY),
        now=_now,
        clock=loop.time,
        known=known,
    )
    engine = Engine(
        firewall=lambda close_client: Firewall(services, close_client=close_client),
        leaves=await trust.leaves(store),
        dialer=Dialer(roots=str(trust.roots), seconds=settings.connect_seconds, hop=_hop(settings)),
        patience=patience_of(settings),
        options=GatewayMaster().options,
    )
    await store.listen("aaf_approvals", room.heard)
    store.every_second(engine.guard.every_second)
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(trust.again(engine, store))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    if lifeline is not None:
        watch(lifeline, stopping.set)
    sweeping = loop.create_task(_sweep(engine))
    try:
        await engine.listen(listening, trust.listener)
        if ready is not None:
            announce(ready, {"ready": True})
        log.info("worker.ready", writer=store.writer)
        gc.collect()
        gc.freeze()  # what is here now stays; collections need not walk through it
        await stopping.wait()
        cut = await engine.drain(settings.drain_seconds)
        decisions.flush()
        log.info("worker.stopped", cut=cut)
        return 0
    finally:
        sweeping.cancel()
        await known.close()


async def _sweep(engine: Engine) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            engine.sweep()
            metrics.measure(engine)
        except Exception:
            log.exception("sweep.failed")  # the next one must come all the same


def _hop(settings: Settings) -> ProxyHop | None:
    return None if settings.upstream_proxy is None else parse_upstream_proxy(settings.upstream_proxy.get_secret_value())


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
    except WrongMitmproxy as error:
        log.error("gateway.cannot-start", reason=str(error), remedy="install what the lock file lists")
        return CANNOT
    except UnsafeRole as error:
        log.error("gateway.cannot-start", reason=f"DATABASE_URL: {error}")
        return CANNOT
    except Unsealable as error:
        remedy = "start it with the ENCRYPTION_MASTER_KEY that this database was first used with"
        log.error("gateway.cannot-start", reason=f"ENCRYPTION_MASTER_KEY: {error}", remedy=remedy)
        return CANNOT
    except (LedgerUnavailable, *DOWN) as error:
        log.error("gateway.cannot-start", reason=f"DATABASE_URL: {type(error).__name__}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
