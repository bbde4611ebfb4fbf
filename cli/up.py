"""`aaf up`: the whole system on one machine, with nothing installed beforehand."""

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import structlog
from pydantic import SecretStr

from cli import bootstrap
from cli.output import emit
from cli.processes import BACK_OFF, Child, ChildFailed
from cli.session import access_file, write_private
from cli.welcome import Ready, welcome
from firewall.backends.catalogs import made
from firewall.backends.embedded import kept
from firewall.backends.embedded.opa import EmbeddedOpa
from firewall.backends.embedded.postgres import ADMIN, APP, CannotStart, EmbeddedPostgres
from firewall.backends.opa import OpaEngine
from firewall.backends.postgres.migrate import migrate
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.errors import LedgerUnavailable
from firewall.seal import Sealer, Unsealable
from firewall.settings import Settings, decode_key

WATCH_SECONDS = 0.5
POLICY_SECONDS = 30.0

log = structlog.get_logger()


class CannotRun(Exception):
    """Why the system does not start, and what to do."""


def up(settings: Settings, *, as_json: bool) -> int:
    """Runs until SIGINT or SIGTERM. Raises CannotRun."""
    return asyncio.run(_up(settings, as_json=as_json))


async def _up(settings: Settings, *, as_json: bool) -> int:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    try:
        async with _system(settings) as ready:
            emit(ready.public()) if as_json else print(welcome(ready), flush=True)
            await stopping.wait()
            log.info("up.draining")
    except (CannotStart, ChildFailed, bootstrap.KeyMissing, UnsafeRole, Unsealable) as error:
        raise CannotRun(str(error)) from error
    except (asyncpg.PostgresError, LedgerUnavailable, OSError) as error:
        raise CannotRun(f"{type(error).__name__}: {error}") from error
    return 0


@contextlib.asynccontextmanager
async def _system(settings: Settings) -> AsyncIterator[Ready]:
    """Starts everything in the order in which the parts need each other; stops it in reverse."""
    async with contextlib.AsyncExitStack() as stack:
        _take(settings.data_dir, stack)
        ports = _ports(settings)
        key = bootstrap.master_key(settings)
        await made(settings.cache_dir)
        dsn = await _database(settings, stack)
        sealer = Sealer(decode_key(SecretStr(key)), _previous(settings))
        store = await Store.connect(dsn, sealer=sealer, process="up")
        stack.push_async_callback(store.close)
        admin = await bootstrap.admin_key(store)
        stack.push_async_callback(bootstrap.revoke, store, admin.id)
        token = await bootstrap.demo_token(store, settings.data_dir)
        lifeline, held = os.pipe()
        stack.callback(os.close, lifeline)
        stack.callback(os.close, held)
        environment = os.environ | ports | {"DATABASE_URL": dsn, "ENCRYPTION_MASTER_KEY": key}
        environment.pop("DATABASE_ADMIN_URL", None)
        # OPA fetches its policy from the API, and the API asks OPA: its address is known before it runs.
        opa = _opa(settings, sealer, ports, stack)
        environment["OPA_URL"] = settings.opa_url or ("" if opa is None else opa.url)
        api_url = str((await _child("api", environment, lifeline, stack, 15))["api_url"])
        if opa is not None:
            opa.start()
            stack.callback(opa.stop)
            _keep(stack, opa.died, opa.start, "opa")
        proxy_url = str((await _child("gateway", environment, lifeline, stack, settings.drain_seconds + 15))["proxy_url"])
        await _policy_loaded(environment["OPA_URL"])
        await _child("worker", environment, lifeline, stack, 15)
        ca_file = settings.data_dir / "ca.pem"
        ca_file.write_text(
            str(await store.pool.fetchval("select cert_pem from aaf.certificate_authority order by id desc limit 1"))
        )
        write_private(access_file(settings.data_dir), json.dumps({"api_url": api_url, "key": admin.key}))
        stack.callback(access_file(settings.data_dir).unlink, missing_ok=True)
        yield Ready(
            proxy_url=None if token is None else _with_credential(proxy_url, token),
            api_url=api_url,
            admin_key=admin.key,
            ca_file=ca_file,
            data_dir=settings.data_dir,
            database=None if settings.database_url is not None else kept.folder(settings.data_dir),
        )


def _take(data_dir: Path, stack: contextlib.AsyncExitStack) -> None:
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    lock = stack.enter_context((data_dir / "up.lock").open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotRun(f"another `aaf up` runs on {data_dir}: stop it, or set AAF_DATA_DIR") from None


def _ports(settings: Settings) -> dict[str, str]:
    """The ports to use, as settings; a port 0 becomes a free one. Raises CannotRun for one that is taken."""
    found = {}
    for name, host, port in (
        ("AAF_PROXY_PORT", settings.proxy_host, settings.proxy_port),
        ("AAF_API_PORT", settings.api_host, settings.api_port),
        ("AAF_GATEWAY_ADMIN_PORT", "127.0.0.1", settings.gateway_admin_port),
        ("AAF_WORKER_ADMIN_PORT", "127.0.0.1", settings.worker_admin_port),
    ):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CannotRun(f"port {port} cannot be used ({error.strerror}): stop what uses it, or set {name}") from None
            found[name] = str(probe.getsockname()[1])
    return found


def _previous(settings: Settings) -> bytes | None:
    return None if settings.master_key_previous is None else decode_key(settings.master_key_previous)


async def _database(settings: Settings, stack: contextlib.AsyncExitStack) -> str:
    """The DSN for appending and reading, on a database that is up to date."""
    if settings.database_url is not None:
        if settings.database_admin_url is None:
            raise CannotRun("DATABASE_URL needs DATABASE_ADMIN_URL beside it, to migrate")
        dsn = settings.database_url.get_secret_value()
        role = urlsplit(dsn)
        try:
            await migrate(settings.database_admin_url.get_secret_value(), app_role=role.username, app_password=role.password)
        except (asyncpg.PostgresError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise CannotRun(f"the database of DATABASE_ADMIN_URL cannot be brought up to date: {reason}") from error
        return dsn
    server = EmbeddedPostgres(settings.data_dir)
    server.start()
    stack.callback(server.stop)
    await server.prepare()
    await migrate(server.dsn(ADMIN), app_role=APP, app_password=server.app_password)
    _keep(stack, server.died, server.restart, "postgres")
    dsn = server.dsn(APP)
    known = settings.data_dir / "database.json"
    write_private(known, json.dumps({"app_dsn": dsn}))
    stack.callback(known.unlink, missing_ok=True)
    return dsn


def _opa(settings: Settings, sealer: Sealer, ports: dict[str, str], stack: contextlib.AsyncExitStack) -> EmbeddedOpa | None:
    if settings.opa_url is not None:
        return None
    program = settings.opa_bin or shutil.which("opa")
    if program is None:
        raise CannotRun("no OPA: `make up` finds or builds one; or set OPA_BIN or OPA_URL")
    token = settings.bundle_token.get_secret_value() if settings.bundle_token is not None else None
    token = token or base64.urlsafe_b64encode(sealer.derive("aaf/bundle-token/v1")).rstrip(b"=").decode()
    host = "127.0.0.1" if settings.api_host in {"0.0.0.0", "::"} else settings.api_host  # noqa: S104 (not bound here)
    scheme = "http" if settings.tls_cert_file is None else "https"
    shown = f"[{host}]" if ":" in host else host
    return EmbeddedOpa(
        settings.data_dir,
        program=Path(program),
        bundles_url=f"{scheme}://{shown}:{ports['AAF_API_PORT']}",
        bundle_token=token,
        ca_file=settings.tls_cert_file,
    )


async def _policy_loaded(opa_url: str) -> None:
    """Waits until OPA has fetched the policy and decides by it."""
    engine = OpaEngine(opa_url)
    try:
        async with asyncio.timeout(POLICY_SECONDS):
            while not await engine.ready():  # noqa: ASYNC110 (OPA tells nobody)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CannotRun("OPA did not get its policy from the control API; see opa.log in the data directory") from None
    finally:
        await engine.close()


async def _child(
    name: str, environment: dict[str, str], lifeline: int, stack: contextlib.AsyncExitStack, seconds: float
) -> dict[str, object]:
    child = Child(name, environment, lifeline)
    stack.push_async_callback(child.stop, seconds)
    return dict(await child.start())


def _keep(stack: contextlib.AsyncExitStack, died: Callable[[], int | None], start: Callable[[], None], name: str) -> None:
    """Starts a part that is no child of asyncio's again when it has died."""

    async def watch() -> None:
        failures = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            status = died()
            if status is None:
                continue
            log.error("child.died", child=name, status=status)
            try:
                start()
                failures = 0
            except (CannotStart, OSError) as error:
                log.error("child.cannot-start", child=name, reason=str(error))
                await asyncio.sleep(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
                failures += 1

    task = asyncio.get_running_loop().create_task(watch())
    stack.callback(task.cancel)


def _with_credential(url: str, token: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{bootstrap.DEMO}:{token}@{rest}"
