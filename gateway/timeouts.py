"""How long anything may take. mitmproxy knows no such limits (TRAPS 18), so each client connection says what it waits for, and a
sweep ends what waits too long."""

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import structlog
from mitmproxy import connection, http, tls
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons.passage import passage_of
from firewall.errors import UpstreamTimeout

if TYPE_CHECKING:
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.proxy.server import ConnectionHandler

LINGER_SECONDS = 10.0

log = structlog.get_logger()


class Phase(Enum):
    """What a client connection is waiting for. `HEAD`, `DIAL` and `LINGER` are counted from their start, `IDLE`, `BODY` and
    `ANSWER` from the last byte on either side; `JUDGED` (a step is at work, or the request is held) has no end of its own."""

    HEAD = "head"
    IDLE = "idle"
    BODY = "body"
    JUDGED = "judged"
    DIAL = "dial"
    ANSWER = "answer"
    LINGER = "linger"


_FROM_START = frozenset({Phase.HEAD, Phase.DIAL, Phase.LINGER})


@dataclass(slots=True)
class Wait:
    phase: Phase
    since: float
    server: connection.Server | None = None
    after_dial: Phase = Phase.ANSWER
    flow: http.HTTPFlow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds."""

    head: float
    idle: float
    connect: float
    response: float

    def of(self, phase: Phase) -> float | None:
        match phase:
            case Phase.HEAD:
                return self.head
            case Phase.IDLE | Phase.BODY:
                return self.idle
            case Phase.DIAL:
                return self.connect
            case Phase.ANSWER:
                return self.response
            case Phase.LINGER:
                return LINGER_SECONDS
            case Phase.JUDGED:
                return None


class Timeouts:
    """A mitmproxy addon that stands after the guard. Times are `time.time()`, as mitmproxy's own activity stamps are."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._waits: dict[str, Wait] = {}

    def enter(self, client_id: str, phase: Phase) -> None:
        wait = self._waits.get(client_id)
        if wait is not None:
            wait.phase, wait.since = phase, time.time()

    def begin_head(self, client_id: str) -> None:
        """The first bytes of a further request."""
        wait = self._waits.get(client_id)
        if wait is not None and wait.phase is Phase.IDLE:
            self.enter(client_id, Phase.HEAD)

    def body_done(self, client_id: str) -> None:
        wait = self._waits.get(client_id)
        if wait is None:
            return
        if wait.phase is Phase.BODY:
            self.enter(client_id, Phase.JUDGED)
        elif wait.phase is Phase.DIAL:
            wait.after_dial = Phase.ANSWER

    # --- mitmproxy's hooks ----------------------------------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        self._waits[client.id] = Wait(Phase.HEAD, time.time())

    def client_disconnected(self, client: connection.Client) -> None:
        self._waits.pop(client.id, None)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        wait = self._waits.get(flow.client_conn.id)
        if wait is not None:
            wait.flow = flow

    def request(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is not None and passage.released:
            self.enter(flow.client_conn.id, Phase.ANSWER)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        wait = self._waits.get(flow.client_conn.id)
        if wait is not None:
            wait.server = flow.server_conn

    def server_connect(self, data: ServerConnectionHookData) -> None:
        wait = self._waits.get(data.client.id)
        if wait is not None:
            wait.after_dial = wait.phase if wait.phase is Phase.BODY else Phase.ANSWER
            wait.server = data.server
            self.enter(data.client.id, Phase.DIAL)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        if not data.server.tls:
            self._dialled(data.client.id)

    def tls_established_server(self, data: tls.TlsData) -> None:
        self._dialled(data.context.client.id)

    def _dialled(self, client_id: str) -> None:
        wait = self._waits.get(client_id)
        if wait is not None and wait.phase is Phase.DIAL:
            self.enter(client_id, wait.after_dial)

    # --- the sweep ------------------------------------------------------------------------------------------------------

    def sweep(self, proxy: "Proxyserver") -> None:
        """Ends what waited too long; called about once a second."""
        now = time.time()
        for client_id, wait in list(self._waits.items()):
            handler = proxy.connections.get(client_id)
            patience = self._patience.of(wait.phase)
            if handler is None or patience is None:
                continue
            since = wait.since
            if wait.phase not in _FROM_START:
                since = max(since, handler.timeout_watchdog.last_activity)
            if now - since > patience:
                self._end(handler, wait)

    def idle(self) -> list[str]:
        """Client connections on which nothing is going on."""
        return [client_id for client_id, wait in self._waits.items() if wait.phase in {Phase.IDLE, Phase.HEAD}]

    def _end(self, handler: "ConnectionHandler", wait: Wait) -> None:
        log.info("connection.timeout", phase=wait.phase.value)
        server = wait.server
        if wait.phase in {Phase.DIAL, Phase.ANSWER} and server is not None and server in handler.transports:
            passage = None if wait.flow is None else passage_of(wait.flow)
            if passage is not None and passage.failure is None:
                what = "did not accept the connection" if wait.phase is Phase.DIAL else "was silent for too long"
                passage.failure = UpstreamTimeout(f"the destination {what}")
            target = handler.transports[server].handler
        else:
            target = handler.transports[handler.client].handler if handler.client in handler.transports else None
        if target is not None:
            target.cancel("timeout")
