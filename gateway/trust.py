"""What a worker trusts and shows: the listeners' certificate, the CAs of destinations, our own CA. All of it can be loaded again,
for connections that are still to be made, without dropping one."""

import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from addons.services import Limits
from certs import ca
from certs.bundle import system_roots, trust_bundle
from certs.contexts import LeafContexts
from certs.leaf import LeafIssuer
from firewall.backends.postgres.authority import load_or_create
from firewall.backends.postgres.store import Store
from firewall.seal import Unsealable
from firewall.settings import BadSettings, Settings, load
from gateway.timeouts import Patience

if TYPE_CHECKING:
    from gateway.engine import Engine

log = structlog.get_logger()


class Trust:
    """Raises BadSettings for files that cannot be read. `listener`: None where listeners speak plain HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.listener = None if settings.tls_cert_file is None else ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if self.listener is not None:
            self.listener.set_alpn_protocols(["http/1.1"])
        self._folder = tempfile.TemporaryDirectory(prefix="aaf-roots-")
        self._loads = 0
        try:
            self.roots = self._read(settings)
        except BadSettings:
            self.close()
            raise

    def _read(self, settings: Settings) -> Path:
        """Reads the files anew; returns the one with the CAs of destinations."""
        if self.listener is not None and settings.tls_cert_file is not None:
            try:
                # password: it asks nobody for one
                self.listener.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password="")
            except OSError as error:
                raise BadSettings(f"AAF_TLS_CERT_FILE, AAF_TLS_KEY_FILE: {error.strerror or error}") from None
        self._loads += 1
        roots = Path(self._folder.name) / f"roots-{self._loads}.pem"
        roots.write_bytes(_upstream_roots(settings))
        return roots

    async def leaves(self, store: Store) -> LeafContexts:
        """Raises Unsealable, LedgerUnavailable."""
        return LeafContexts(LeafIssuer(ca.load(*await load_or_create(store.pool, store.sealer, _new_authority)), now=_now))

    async def again(self, engine: "Engine", store: Store) -> None:
        """Loads what can change while a worker runs. What is wrong is said, and what was stays."""
        try:
            settings = load()
            old, self.roots = self.roots, self._read(settings)
            leaves = await self.leaves(store)
        except (BadSettings, Unsealable, OSError) as error:
            log.error("reload.refused", reason=str(error))
            return
        except Exception:
            log.exception("reload.failed")
            return
        engine.dialer.trust(self.roots)
        old.unlink(missing_ok=True)
        engine.leaves, engine.patience = leaves, patience_of(settings)
        engine.guard.services.limits = limits_of(settings)
        log.info("reload.done")

    def close(self) -> None:
        self._folder.cleanup()


def patience_of(settings: Settings) -> Patience:
    return Patience(
        head=settings.head_seconds,
        idle=settings.idle_seconds,
        connect=settings.connect_seconds,
        response=settings.response_seconds,
        request=settings.request_seconds,
    )


def limits_of(settings: Settings) -> Limits:
    return Limits(
        body_inspect_bytes=settings.body_inspect_bytes,
        hold_seconds=settings.hold_seconds,
        body_hold_bytes=settings.body_hold_bytes,
        holds_per_agent=settings.holds_per_agent,
        connections_per_agent=settings.connections_per_agent,
    )


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
