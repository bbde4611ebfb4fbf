"""A host that is passed through: its CONNECT was judged, recorded and released like any request; then the tunnel is piped unread to
the address that was checked. Only the ClientHello is looked at first: its server name must be the host of the CONNECT."""

import asyncio
from typing import TYPE_CHECKING

from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons.passage import Passage
from firewall.client_hello import server_name
from firewall.errors import Abandoned, Malformed, Misdirected, Refused, UpstreamUnreachable
from gateway.keepalive import keep_alive
from gateway.link import Link
from gateway.pool import Key, Upstream
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session


class Through:
    def __init__(self, session: "Session", flow: http.HTTPFlow, passage: Passage) -> None:
        self._session = session
        self._engine = session.engine
        self._flow = flow
        self._passage = passage
        self._buffer = bytearray()
        self._dialling: asyncio.Task[None] | None = None
        self._upstream: Upstream | None = None
        self._told = False
        """What came of it was said."""

    def begin(self, data: bytes) -> None:
        """`data`: what has come of the tunnel already."""
        self._session.hand_to(self)
        self._session.expect(Phase.HEAD)
        if data:
            self.received(self._session.link, data)

    # --- both links

    def received(self, link: Link, data: bytes) -> None:
        if self._told:
            return
        if link is not self._session.link:
            self._passage.response_bytes += len(data)
            self._session.link.write(data)
        elif self._upstream is not None:
            self._send(data)
        else:
            self._buffer += data
            if self._dialling is None:
                self._hello()

    def pressure(self, link: Link, high: bool) -> None:
        """Whoever takes no more stops the other."""
        other = self._session.link
        if link is other:
            if self._upstream is None:
                return
            other = self._upstream.link
        if high:
            other.hold()
        else:
            other.unhold()

    def lost(self, link: Link) -> None:
        if link is self._session.link:
            self._client_lost()
        elif self._passage.response_bytes:
            self._end(None)
        else:
            self._end(UpstreamUnreachable("the destination ended the connection before it answered"))

    def expired(self, phase: Phase) -> None:
        self._engine.log.info("connection.timeout", phase=phase.value)
        self._session.link.abort()

    def last_byte(self) -> float:
        return max(self._session.link.last, 0.0 if self._upstream is None else self._upstream.link.last)

    def tick(self, now: float) -> None:
        pass

    # ---

    def _hello(self) -> None:
        host = self._passage.with_action().host
        try:
            name = server_name(self._buffer)
        except Malformed as error:
            self._end(error)
            return
        if name is None:
            return
        if name != host:
            self._end(Misdirected(f"the TLS server name is {name}, the connection is to {host}"))
            return
        self._session.expect(Phase.DIAL)
        self._session.link.hold()
        self._dialling = self._engine.loop.create_task(self._dial())

    async def _dial(self) -> None:
        action, route = self._passage.with_action(), self._passage.route
        try:
            if route is None or not self._passage.released:
                raise AssertionError("what is not released came to be passed through")
            key = Key(action.agent_id, action.host, action.port, "", False, ())
            self._check(key)
            upstream = await self._engine.dialer.dial(key, route)
        except Refused as error:
            self._end(error)
            return
        except Exception as error:
            self._engine.log.exception("dial.failed")
            self._end(UpstreamUnreachable(f"the destination cannot be reached: {type(error).__name__}"))
            return
        if self._told:
            upstream.link.abort()
            return
        self._upstream, upstream.link.owner = upstream, self
        self._flow.server_conn = upstream.server
        self._session.expect(Phase.OPEN)
        keep_alive(self._session.link, upstream.link)
        self._send(bytes(self._buffer))
        self._buffer.clear()
        self._session.link.unhold()

    def _check(self, key: Key) -> None:
        """The second lock. Raises UpstreamUnreachable."""
        server = self._session.nowhere
        server.address, server.error = (key.host, key.port), None
        data = ServerConnectionHookData(server, self._session.client)
        if not self._engine.hooks.tell("server_connect", data) or server.error is not None:
            raise UpstreamUnreachable(server.error or "the lock on upstream connections failed")

    def _send(self, data: bytes) -> None:
        if self._upstream is not None:
            self._passage.request_bytes += len(data)
            self._upstream.link.write(data)

    def _client_lost(self) -> None:
        answered = self._passage.response_bytes > 0
        self._tell(None if answered else Abandoned("the client left"))
        self._let_go()
        self._engine.hooks.tell("client_disconnected", self._session.client)
        self._session.over()

    def _end(self, failure: Refused | None) -> None:
        """No more comes through. What is written already still reaches the client."""
        self._tell(failure)
        self._let_go()
        self._session.expect(Phase.LINGER)
        self._session.link.close()

    def _tell(self, failure: Refused | None) -> None:
        if self._told:
            return
        self._told = True
        if failure is None:
            self._engine.hooks.tell("response", self._flow)
            return
        self._passage.failure = failure
        self._flow.error = mitmproxy_flow.Error(failure.detail)
        self._engine.hooks.tell("error", self._flow)

    def _let_go(self) -> None:
        if self._dialling is not None and self._upstream is None:
            self._dialling.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.link.owner = None
            upstream.link.abort()
