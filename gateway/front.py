"""What comes first on an agent's connection: a plain request, or a CONNECT and in it TLS, ended here with a certificate for that
very host. Anything else ends the connection."""

from typing import TYPE_CHECKING

from mitmproxy import http

from addons.passage import passage_of
from addons.tunnels import Target
from firewall.errors import Refused
from gateway.exchange import Exchange
from gateway.flows import flow_of
from gateway.http2 import Http2
from gateway.link import Link
from gateway.message import end_of_head, own_answer, read_request
from gateway.through import Through
from gateway.timeouts import Phase
from gateway.turn import AHEAD_LIMIT

if TYPE_CHECKING:
    from gateway.session import Session

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PLAIN_PORT = 80
CHANCES = 4
"""How often an agent may try its credential on one connection."""
_CONNECT = b"CONNECT "
_TLS_RECORD = b"\x16\x03"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LETTERS = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Front:
    def __init__(self, session: "Session") -> None:
        self._session = session
        self._engine = session.engine
        self._link = session.link
        self._buffer = bytearray()
        self._judging = False
        self._held_back = False
        self._target: Target | None = None
        self._refused = 0

    # --- the client's link

    def received(self, link: Link, data: bytes) -> None:
        self._buffer += data
        if self._judging:
            if len(self._buffer) > AHEAD_LIMIT and not self._held_back:
                self._held_back = True
                link.hold()
        elif self._target is None:
            self._first()
        else:
            self._inside()

    def pressure(self, link: Link, high: bool) -> None:
        pass

    def lost(self, link: Link) -> None:
        self._engine.hooks.tell("client_disconnected", self._session.client)
        self._session.over()

    def expired(self, phase: Phase) -> None:
        self._engine.log.info("connection.timeout", phase=phase.value)
        self._link.abort()

    def last_byte(self) -> float:
        return self._link.last

    def tick(self, now: float) -> None:
        pass

    # --- CONNECT

    def _first(self) -> None:
        start = bytes(self._buffer[: len(_CONNECT)])
        if start != _CONNECT[: len(start)]:
            self._hand_over(Exchange(self._session, target=None, scheme=b"http"))
            return
        try:
            end = end_of_head(self._buffer)
            if end is None:
                return
            head = bytes(self._buffer[:end])
            request, _ = read_request(head, inside=False)
        except Refused:  # an exchange refuses it in the same words, and puts it on record
            self._hand_over(Exchange(self._session, target=None, scheme=b"http"))
            return
        del self._buffer[:end]
        flow = flow_of(self._session.client, self._session.nowhere, request)
        self._judging = True
        self._session.expect(Phase.JUDGED)
        self._engine.hooks.run("http_connect", flow, lambda well: self._judged(flow, well))

    def _judged(self, flow: http.HTTPFlow, well: bool) -> None:
        self._judging = False
        if self._held_back:
            self._held_back = False
            self._link.unhold()
        passage = passage_of(flow)
        if not self._link.open or not well or passage is None:
            self._link.abort()
            return
        if flow.response is not None:
            self._refuse(flow.response)
            return
        self._link.write(ESTABLISHED)
        if passage.released:
            Through(self._session, flow, passage).begin(bytes(self._buffer))
            return
        self._target = (flow.request.data.host, flow.request.data.port)
        self._session.expect(Phase.HEAD)
        if self._buffer:
            self._inside()

    def _refuse(self, response: http.Response) -> None:
        self._refused += 1
        again = response.data.status_code == 407 and self._refused < CHANCES and not self._engine.draining
        self._link.write(own_answer(response, method=b"CONNECT", close=not again))
        if not again:
            self._link.finish()
            self._session.expect(Phase.LINGER)
            return
        self._session.expect(Phase.HEAD)
        if self._buffer:
            self._first()

    # --- in the tunnel

    def _inside(self) -> None:
        assert self._target is not None
        if self._link.tls is not None:
            self._by_preface(self._target)
            return
        host, port = self._target
        start = bytes(self._buffer[:2])
        if start == _TLS_RECORD[: len(start)]:
            if len(start) == len(_TLS_RECORD):
                self._start_tls(host)
        elif port == PLAIN_PORT and start[0] in _LETTERS:
            self._hand_over(Exchange(self._session, target=self._target, scheme=b"http"))
        else:
            self._link.close()

    def _start_tls(self, host: str) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        leaf = self._engine.leaves.context(host, http2=self._engine.prefers_http2(host))
        self._session.expect(Phase.HEAD)
        self._link.start_tls(leaf, self._secured, server_side=True, begun=data)

    def _secured(self, error: Exception | None) -> None:
        tls, client = self._link.tls, self._session.client
        if error is not None or tls is None:
            self._engine.log.info("client.tls-failed", reason=type(error).__name__)
            return  # the link ends by itself
        client.tls = True
        client.sni = self._engine.leaves.server_name(tls)
        chosen = tls.selected_alpn_protocol()
        client.alpn = chosen.encode() if chosen else b""
        client.tls_version = tls.version()  # type: ignore[assignment]
        if client.alpn == b"h2":
            assert self._target is not None
            Http2(self._session, self._target).begin()
        elif not client.alpn:
            self._hand_over(Exchange(self._session, target=self._target, scheme=b"https"))

    def _by_preface(self, target: Target) -> None:
        """HTTP/1.1 was chosen. Some that offer it for form's sake speak HTTP/2 nevertheless (httpx with `http1=False`)."""
        start = bytes(self._buffer[: len(_PREFACE)])
        if start == _PREFACE:
            data = bytes(self._buffer)
            self._buffer.clear()
            carrier = Http2(self._session, target)
            carrier.begin()
            carrier.received(self._link, data)
        elif start != _PREFACE[: len(start)]:
            self._hand_over(Exchange(self._session, target=target, scheme=b"https"))

    def _hand_over(self, exchange: Exchange) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        exchange.begin(data)
