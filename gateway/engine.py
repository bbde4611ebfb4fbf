"""The engine under the addons: every client connection of this worker, and what they share. See `front`, `exchange` and `forward`
for the way of a request."""

import asyncio
import ssl
from collections.abc import Callable
from socket import socket
from typing import Any

import structlog
from mitmproxy.options import Options

from addons.guard import Firewall
from certs.contexts import LeafContexts
from gateway.dial import Dialer
from gateway.front import Front
from gateway.hooks import Hooks
from gateway.http2_forward import Multiplexed
from gateway.link import Link
from gateway.pool import IDLE_SECONDS, Key, Pool
from gateway.session import Session
from gateway.timeouts import Patience, Phase

BACKLOG = 2048
TLS_SECONDS = 10


class Engine:
    """Belongs to one event loop. `firewall` is called with a function that closes a client connection, and returns the guard."""

    def __init__(
        self,
        *,
        firewall: Callable[[Callable[[str], None]], Firewall],
        leaves: LeafContexts,
        dialer: Dialer,
        patience: Patience,
        options: Options,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.options = options
        self.log = structlog.get_logger()
        self.leaves = leaves
        self.dialer = dialer
        self.patience = patience
        self.pool = Pool(self.now)
        self.multiplexed: dict[Key, list[Multiplexed]] = {}
        """Upstream connections that speak HTTP/2, by what they were dialled for."""
        self.guard = firewall(self.close_client)
        self.hooks = Hooks([self.guard])
        self.draining = False
        self._sessions: dict[str, Session] = {}
        self._server: asyncio.Server | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def sessions(self) -> list[Session]:
        return list(self._sessions.values())

    async def listen(self, listening: socket, tls: ssl.SSLContext | None) -> None:
        extra: dict[str, Any] = {} if tls is None else {"ssl": tls, "ssl_handshake_timeout": TLS_SECONDS}
        self._server = await self.loop.create_server(lambda: Accepted(self), sock=listening, backlog=BACKLOG, **extra)

    def accept(self, link: Link) -> None:
        session = Session(self, link)
        self._sessions[session.client.id] = session
        session.hand_to(Front(session))
        if not self.hooks.tell("client_connected", session.client):
            link.abort()

    def forget(self, session: Session) -> None:
        self._sessions.pop(session.client.id, None)

    def prefers_http2(self, host: str) -> bool:
        """Whether agents are offered HTTP/2 first there (the policy's `destinations.http2`)."""
        destinations = self.guard.services.destinations()
        return destinations is not None and destinations.prefers_http2(host)

    def close_client(self, client_id: str) -> None:
        session = self._sessions.get(client_id)
        if session is not None:
            session.link.abort()

    def sweep(self) -> None:
        """Ends what waits too long; called about twice a second."""
        now = self.now()
        for session in list(self._sessions.values()):
            try:
                session.sweep(now)
            except Exception:  # one that cannot be swept must not keep the others from it
                self.log.exception("sweep.failed")
                session.link.abort()
        self.pool.expire()
        for shared in [each for several in self.multiplexed.values() for each in several]:
            if not shared.wire.streams and now - shared.idle_since > IDLE_SECONDS:
                shared.wire.link.close()

    async def drain(self, seconds: float) -> int:
        """Takes no more connections, lets what is under way finish for at most `seconds`. Returns how many connections were
        cut."""
        self.draining = True
        self.guard.drain()
        if self._server is not None:
            self._server.close()
        end = self.now() + seconds
        while self._sessions and self.now() < end:
            for session in list(self._sessions.values()):
                if session.nothing_on:
                    session.link.close()
            await asyncio.sleep(0.05)
        cut = sum(1 for session in self._sessions.values() if session.phase is not Phase.LINGER)
        for session in list(self._sessions.values()):
            session.link.abort()
        self.pool.close()
        for shared in [each for several in self.multiplexed.values() for each in several]:
            shared.wire.link.abort()
        # What is under way for clients that are gone has its outcome still to be written.
        while (self._sessions or self.guard.walking) and self.now() < end + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return cut


class Accepted(Link):
    """A client's connection, from the listening socket."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._engine.accept(self)
