"""The composition root of the control API: the only module here that knows Postgres and OPA."""

import asyncio
import base64
import contextlib
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import structlog
from aiohttp import web

from control_api.app import build
from control_api.callers import Door
from control_api.context import Context, Opa
from control_api.listen import Runner
from control_api.metrics import Metrics
from control_api.tail import Tail
from firewall import policy
from firewall.audit.events import policy_activated
from firewall.backends.catalogs import made
from firewall.backends.knowledge import Knowledge, shipped_index
from firewall.backends.lifeline import announce, watch
from firewall.backends.logs import configure_logs
from firewall.backends.opa import OpaEngine
from firewall.backends.postgres.down import DOWN
from firewall.backends.postgres.reads import PostgresReads
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.classify.known import Empty, Known
from firewall.digest import DIGEST_KEY
from firewall.errors import LedgerUnavailable
from firewall.ports import ActivatePolicy, Item, Lost
from firewall.seal import Sealer
from firewall.settings import Settings, decode_key

BUNDLE_TOKEN = "aaf/bundle-token/v1"  # noqa: S105 (the purpose of a derived key, not a secret)
PROCESS = "api"

log = structlog.get_logger()


class CannotStart(Exception):
    """What is missing, by name."""


def main(settings: Settings, *, lifeline: int | None = None, ready: int | None = None) -> int:
    """Serves until SIGTERM, SIGINT or the end of `lifeline`. Exit status 0, 1 (could not start), 2 (a setting is missing)."""
    configure_logs()
    for name, value in (("DATABASE_URL", settings.database_url), ("ENCRYPTION_MASTER_KEY", settings.master_key)):
        if value is None:
            sys.stderr.write(f"{name} is required\n")
            return 2
    try:
        with asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(_serve(settings, lifeline, ready))
    except CannotStart as error:
        sys.stderr.write(f"the control API cannot start: {error}\n")
        return 1
    return 0


def sealer_of(settings: Settings) -> Sealer:
    if settings.master_key is None:
        raise CannotStart("ENCRYPTION_MASTER_KEY is required")
    previous = settings.master_key_previous
    return Sealer(decode_key(settings.master_key), None if previous is None else decode_key(previous))


def bundle_token(settings: Settings, sealer: Sealer) -> str:
    if settings.bundle_token is not None:
        return settings.bundle_token.get_secret_value()
    return base64.urlsafe_b64encode(sealer.derive(BUNDLE_TOKEN, 32)).rstrip(b"=").decode()


@contextlib.asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Everything the handlers need, with the policy document compiled and active. Raises CannotStart."""
    document, modules = document_text(settings), policy.modules()
    try:
        compiled = policy.compile_policy(policy.load(document), modules)
    except policy.BadPolicy as error:
        raise CannotStart(f"{settings.policy_file or 'the demo policy'}: {error}") from error
    sealer = sealer_of(settings)
    dsn = "" if settings.database_url is None else settings.database_url.get_secret_value()
    try:
        store = await Store.connect(dsn, sealer=sealer, process=PROCESS)
    except (UnsafeRole, LedgerUnavailable, *DOWN) as error:
        raise CannotStart(f"DATABASE_URL: {type(error).__name__}: {error}") from error
    opa = None if settings.opa_url is None else OpaEngine(settings.opa_url)
    known = Catalogued(settings.cache_dir, await Knowledge.open(Empty(), store.catalogs, store.revisions))
    try:
        author = f"aaf {version('agent-action-firewall')}"
        change = ActivatePolicy(revision=compiled.revision, document=document, data=compiled.data, author=author)
        outcome = await store.ledger.append(Item(drafts=(policy_activated(compiled.revision, author),), change=change))
        log.info("policy.loaded", revision=compiled.revision, activated=not isinstance(outcome, Lost))
        reads, metrics = PostgresReads(store.pool, sealer), Metrics()
        context = Context(
            settings=settings,
            ledger=store.ledger,
            revisions=store.revisions,
            reads=reads,
            opa=None if opa is None else Opa(engine=opa, ready=opa.ready),
            door=Door(reads, store.agents, bundle_token(settings, sealer)),
            modules=modules,
            digest_key=sealer.derive(DIGEST_KEY),
            metrics=metrics,
            tail=Tail(reads, metrics),
            known=known,
        )
        await store.listen("aaf_approvals", context.approvals_hint.ring)
        await store.listen("aaf_policy", lambda _payload: context.policy_hint.ring())
        yield context
    except LedgerUnavailable as error:
        raise CannotStart(f"DATABASE_URL: {error.detail}") from error
    finally:
        if opa is not None:
            await opa.close()
        await known.knowledge.close()
        await store.close()


class Catalogued:
    """What classification goes by. The catalogs that ship are read when somebody first asks: the API starts without them."""

    def __init__(self, folder: Path, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._folder = folder
        self._turn = asyncio.Lock()

    async def __call__(self) -> Known:
        async with self._turn:
            if isinstance(self.knowledge.shipped, Empty):
                with contextlib.suppress(OSError):  # where no file can be written, `shipped_index` makes them in memory
                    await made(self._folder)
                self.knowledge.shipped = await asyncio.to_thread(shipped_index, self._folder)
        return self.knowledge()


def document_text(settings: Settings) -> str:
    if settings.policy_file is None:
        return policy.demo_document()
    try:
        return settings.policy_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"AAF_POLICY_FILE={settings.policy_file}: {error}") from error


async def _serve(settings: Settings, lifeline: int | None, ready: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        watch(lifeline, stop.set)
    async with open_context(settings) as context, serving(context) as url:
        if ready is not None:
            announce(ready, {"api_url": url})
        log.info("api.serving", url=url)
        await stop.wait()
        log.info("api.draining")


@contextlib.asynccontextmanager
async def serving(context: Context) -> AsyncIterator[str]:
    """Listens, and gives the URL; at the end, lets running requests finish, and ends streams and long polls at once."""
    settings = context.settings
    runner = Runner(
        build(context), access_log=None, shutdown_timeout=settings.drain_seconds, handle_signals=False, keepalive_timeout=75
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.api_host, settings.api_port, ssl_context=_tls(settings))
        try:
            await site.start()
        except OSError as error:
            raise CannotStart(f"AAF_API_HOST={settings.api_host} AAF_API_PORT={settings.api_port}: {error}") from error
        host, port = runner.addresses[0][:2]
        scheme = "http" if settings.tls_cert_file is None else "https"
        yield f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    finally:
        context.closing.set()
        context.approvals_hint.ring()
        context.policy_hint.ring()
        await runner.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(f"AAF_TLS_CERT_FILE, AAF_TLS_KEY_FILE: {error}") from error
    return context


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
