"""One gateway worker: a composition root. `python -m gateway.worker --listen FD --lifeline FD --ready FD`."""

import argparse
import asyncio
import gc
import signal
import ssl
import sys
import tempfile
from datetime import UTC, datetime
from socket import socket

import asyncpg
import structlog
import uvloop

from addons.guard import Firewall
from addons.services import Limits, Services
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from certs import ca
from certs.bundle import system_roots, trust_bundle
from certs.contexts import LeafContexts
from certs.leaf import LeafIssuer
from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.opa import OpaEngine
from firewall.backends.own_sockets import LocalSockets, ports_of
from firewall.backends.postgres.authority import load_or_create
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
from gateway.master import GatewayMaster
from gateway.timeouts import Patience

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
    sealer, listener_tls, upstream_roots = sealer_of(settings), _listener_tls(settings), _upstream_roots(settings)
    store = await Store.connect(settings.database_url.get_secret_value(), sealer=sealer, process="gateway")
    opa = OpaEngine(settings.opa_url)
    try:
        authority = ca.load(*await load_or_create(store.pool, sealer, _new_authority))
        issuer = LeafIssuer(authority, now=_now)
        with tempfile.NamedTemporaryFile(prefix="aaf-roots-", suffix=".pem") as roots:
            roots.write(upstream_roots)
            roots.flush()
            return await _run(settings, store, opa, issuer, listening, listener_tls, lifeline, ready, roots.name)
    finally:
        await opa.close()
        await store.close()


async def _run(
    settings: Settings,
    store: Store,
    opa: OpaEngine,
    issuer: LeafIssuer,
    listening: socket,
    listener_tls: ssl.SSLContext | None,
    lifeline: int | None,
    ready: int | None,
    upstream_roots: str,
) -> int:
    loop = asyncio.get_running_loop()
    room = WaitingRoom(store.approvals.states)
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
        limits=Limits(
            hold_seconds=settings.hold_seconds,
            body_hold_bytes=settings.body_hold_bytes,
            holds_per_agent=settings.holds_per_agent,
            connections_per_agent=settings.connections_per_agent,
        ),
        digest_key=store.sealer.derive(DIGEST_KEY),
        now=_now,
        clock=loop.time,
    )
    engine = Engine(
        firewall=lambda close_client: Firewall(services, close_client=close_client),
        leaves=LeafContexts(issuer),
        dialer=Dialer(roots=upstream_roots, seconds=settings.connect_seconds, hop=_hop(settings)),
        patience=Patience(
            head=settings.head_seconds,
            idle=settings.idle_seconds,
            connect=settings.connect_seconds,
            response=settings.response_seconds,
            request=settings.request_seconds,
        ),
        options=GatewayMaster().options,
    )
    await store.listen("aaf_approvals", room.heard)
    store.every_second(engine.guard.every_second)
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    if lifeline is not None:
        watch(lifeline, stopping.set)
    sweeping = loop.create_task(_sweep(engine))
    try:
        await engine.listen(listening, listener_tls)
        if ready is not None:
            announce(ready, {"ready": True})
        log.info("worker.ready", writer=store.writer)
        gc.collect()
        gc.freeze()  # what is here now stays; collections need not walk through it
        await stopping.wait()
        cut = await engine.drain(settings.drain_seconds)
        log.info("worker.stopped", cut=cut)
        return 0
    finally:
        sweeping.cancel()


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


def _listener_tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password="")  # asks nobody for one
    except OSError as error:
        raise BadSettings(f"AAF_TLS_CERT_FILE, AAF_TLS_KEY_FILE: {error.strerror or error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _upstream_roots(settings: Settings) -> bytes:
    if settings.upstream_ca_file is None:
        return system_roots()
    try:
        more = settings.upstream_ca_file.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(settings.upstream_ca_file)
    except OSError as error:
        raise BadSettings(f"AAF_UPSTREAM_CA_FILE: {error.strerror or error}") from None
    return trust_bundle(more)


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
