"""One released request on its way to its destination, and the answer on its way back: the half of an exchange that speaks with
upstream. Both directions are under way at once; whoever is slow stops the other."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons.passage import Passage
from firewall.errors import HeadTooLarge, Malformed, Refused, UpstreamUnreachable
from gateway.body import CHUNKED, Body, chunk, last_chunk
from gateway.fields import Field
from gateway.link import Link
from gateway.message import end_of_answer_head, end_to_end_trailers, is_websocket, read_response, request_head, without_ours
from gateway.pool import Key, Upstream

if TYPE_CHECKING:
    from gateway.session import Session

REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""Idempotent methods (RFC 9110, section 9.2.2): asked once more when a connection that was used before ends without a byte."""
INTERIM_LIMIT = 20
HTTP1 = ("http/1.1",)
_BOUND = (b"ntlm", b"negotiate")


class Side(Protocol):
    """The half that speaks with the client."""

    def connected(self) -> None:
        """Upstream takes the body now, if it is sent in pieces."""

    def interim(self, response: http.Response) -> None:
        """A 1xx answer, to be passed on."""

    def answer_begins(self, response: http.Response, length: int, data: bytes) -> None:
        """`data`: what has come of its body already."""

    def answer_data(self, data: bytes) -> None: ...

    def answer_ends(self, trailers: tuple[Field, ...]) -> None: ...

    def stop(self, high: bool) -> None:
        """`high`: upstream takes no more of the body for now."""

    def failed(self, error: Refused) -> None:
        """No (further) answer will come. Nothing comes after this."""


class Forward:
    """`length`: of the body as it will be sent (bytes, CHUNKED, None for none). `body`: all of it, or None when it comes in pieces
    by `send`."""

    ALPN: tuple[str, ...] = HTTP1

    def __init__(self, session: "Session", side: Side, flow: http.HTTPFlow, passage: Passage, length: int | None) -> None:
        self._session = session
        self._engine = session.engine
        self._side = side
        self._flow = flow
        self._passage = passage
        self._length = length
        self._body: bytes | None = None
        self._upstream: Upstream | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._buffer = bytearray()
        self._answer: Body | None = None
        self._keep = False
        self._sent = False
        """The whole request is on its way."""
        self._tried_again = False
        self._paused = False
        self._interims = 0
        self._over = False

    @property
    def last_byte(self) -> float:
        return self._upstream.link.last if self._upstream is not None else 0.0

    @property
    def takes(self) -> bool:
        """Whether a piece of the body can be sent."""
        return self._upstream is not None

    # --- towards the destination

    def begin(self, body: bytes | None) -> None:
        self._body = body
        action, route = self._passage.with_action(), self._passage.route
        if route is None or not self._passage.released:
            raise AssertionError("what is not released came to be forwarded")
        tls = action.scheme == "https"
        alpn = self.ALPN if tls else ()
        for address in () if self._tried_again else route.addresses:
            if self._find(Key(action.agent_id, action.host, action.port, address, tls, alpn)):
                return
        key = Key(action.agent_id, action.host, action.port, "", tls, alpn)
        self._dialling = asyncio.get_running_loop().create_task(self._dial(key))

    def _find(self, key: Key) -> bool:
        """Whether a connection that is there already was taken."""
        found = self._engine.pool.take(key)
        if found is not None:
            self._use(found)
        return found is not None

    async def _dial(self, key: Key) -> None:
        try:
            route = self._passage.route
            if route is None:
                raise AssertionError("nowhere to dial")
            self._check(key)
            upstream = await self._engine.dialer.dial(key, route)
            self._dialling = None
            if self._over:
                self._engine.pool.put(upstream)
            elif upstream.link.open:
                self._use(upstream)
            else:  # nobody was there to be told
                raise UpstreamUnreachable("the destination ended the connection at once")
        except Refused as error:
            self._dialling = None
            self._fail(error)
        except Exception as error:
            self._dialling = None
            self._engine.log.exception("dial.failed")
            self._fail(UpstreamUnreachable(f"the destination cannot be reached: {type(error).__name__}"))

    def _check(self, key: Key) -> None:
        """The second lock. Raises UpstreamUnreachable."""
        server = self._session.nowhere
        server.address, server.error = (key.host, key.port), None
        data = ServerConnectionHookData(server, self._session.client)
        if not self._engine.hooks.tell("server_connect", data) or server.error is not None:
            raise UpstreamUnreachable(server.error or "the lock on upstream connections failed")

    def _use(self, upstream: Upstream) -> None:
        try:
            self._check(upstream.key)
        except UpstreamUnreachable as error:
            self._engine.pool.put(upstream)
            self._fail(error)
            return
        self._upstream = upstream
        upstream.link.owner = self
        self._flow.server_conn = upstream.server
        if self._paused:
            upstream.link.hold()
        head = request_head(self._flow.request, self._length)
        if self._body is not None:
            self._sent = True
            head += chunk(self._body) + last_chunk() if self._length == CHUNKED else self._body
        upstream.link.write(head)
        self._side.connected()

    def send(self, data: bytes, *, done: bool) -> None:
        if self._upstream is not None:
            self._upstream.link.catch_up()  # an early answer, whose connection is reset behind it
        if self._upstream is None:
            return
        if self._length == CHUNKED:
            data = chunk(data) + (last_chunk() if done else b"")
        self._sent = done
        self._upstream.link.write(data)

    def pause(self, high: bool) -> None:
        """The client takes no more for now, so no more of the answer is read."""
        if high == self._paused:
            return
        self._paused = high
        if self._upstream is not None:
            (self._upstream.link.hold if high else self._upstream.link.unhold)()

    def drop(self) -> None:
        """No more of this: the client left, or got another answer."""
        self._over = True
        if self._dialling is not None:
            self._dialling.cancel()
        self._let_go(reuse=False)

    def take_over(self) -> tuple[Upstream, bytes]:
        """The connection, for whoever speaks another protocol on it from now on, and what has come of that already."""
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            raise AssertionError("there is no connection to take over")
        self._over = True
        return upstream, bytes(self._buffer)  # if it is held, then because the client takes no more; whoever sees that end lets go

    # --- from the destination

    def received(self, link: Link, data: bytes) -> None:
        self._buffer += data
        try:
            self._read()
        except (Malformed, HeadTooLarge) as error:
            self._fail(UpstreamUnreachable(f"the destination's answer is refused: {error.detail}"))

    def _read(self) -> None:
        while self._answer is None:
            end = end_of_answer_head(self._buffer)
            if end is None:
                return
            head = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._head(head)
        if self._over:
            return
        data = self._answer.take(self._buffer)
        if data:
            self._side.answer_data(data)
        if self._answer.done and not self._over:
            self._ends(end_to_end_trailers(self._answer.trailers))

    def _head(self, head: bytes) -> None:
        response, length, keep = read_response(head, self._flow.request.data.method)
        status = response.data.status_code
        if status < 200 and status != 101:
            self._interims += 1
            if self._interims > INTERIM_LIMIT:
                raise Malformed("too many interim answers")
            if status != 100:
                response.data.headers.fields = without_ours(response.data.headers.fields)
                self._side.interim(response)
            return
        self._keep = keep and not self._is_bound()
        self._answer = body = Body(length, strict=False)
        try:
            data = body.take(self._buffer)
        except Malformed:  # what was well until there is passed on, and cut, however the bytes came
            self._side.answer_begins(response, length, b"")
            raise
        self._side.answer_begins(response, length, data)

    def _is_bound(self) -> bool:
        """Whether the request authenticates its connection, which nobody else may get then."""
        given = [value for name, value in self._flow.request.headers.fields if name.lower() == b"authorization"]
        return any(value.lower().startswith(_BOUND) for value in given)

    def _ends(self, trailers: tuple[Field, ...]) -> None:
        self._over = True
        self._let_go(reuse=self._keep and self._sent and not self._buffer)
        self._side.answer_ends(trailers)

    def pressure(self, link: Link, high: bool) -> None:
        self._side.stop(high)

    def lost(self, link: Link) -> None:
        upstream, self._upstream = self._upstream, None
        if self._over or upstream is None:
            return
        if link.congested:
            self._side.stop(False)
        if self._answer is not None and self._answer.to_the_end and link.ended_well:
            self._ends(())
        elif self._may_try_again(upstream):
            self._tried_again = True
            self.begin(self._body)
        else:
            self._fail(UpstreamUnreachable("the destination ended the connection before its answer was complete"))

    def _may_try_again(self, upstream: Upstream) -> bool:
        return (
            upstream.used > 0
            and not self._tried_again
            and not self._buffer
            and self._answer is None
            and not self._interims
            and self._body is not None
            and not self._passage.approved  # a grant is spent once, so what it allows is sent once
            and self._flow.request.data.method in REPEATABLE
            and not is_websocket(self._flow.request)
        )

    # ---

    def expire(self, error: Refused) -> None:
        self._fail(error)

    def _fail(self, error: Refused) -> None:
        if self._over:
            return
        self.drop()
        self._side.failed(error)

    def _let_go(self, *, reuse: bool) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return
        if self._paused:
            self._paused = False
            upstream.link.unhold()
        if upstream.link.congested:
            self._side.stop(False)
        if reuse:
            upstream.used += 1
            self._engine.pool.put(upstream)
        else:
            upstream.link.owner = None
            upstream.link.abort()
