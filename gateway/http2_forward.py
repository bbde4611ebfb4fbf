"""The upstream half of a request that came by HTTP/2: by HTTP/2 where the destination speaks it (gRPC speaks nothing else), its
connection shared by the requests of one agent; else by HTTP/1 like any."""

from typing import TYPE_CHECKING

from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from mitmproxy import http

from addons.passage import Passage
from firewall.errors import HeadTooLarge, Malformed, UpstreamUnreachable
from gateway.body import CHUNKED
from gateway.fields import Field
from gateway.forward import INTERIM_LIMIT, Forward, Side
from gateway.http2_library import check_lawful
from gateway.http2_link import Http2Link
from gateway.http2_message import read_response, read_trailers, request_headers
from gateway.message import end_to_end_trailers, without_ours
from gateway.pool import Key, Upstream

if TYPE_CHECKING:
    from gateway.engine import Engine
    from gateway.session import Session

ALPN = ("h2", "http/1.1")


class Multiplexed:
    """One upstream connection that carries many requests of one agent at once."""

    def __init__(self, engine: "Engine", upstream: Upstream) -> None:
        self.upstream = upstream
        self.wire = Http2Link(upstream.link, client_side=True, on_event=self._answered, over=self._gone)
        self.idle_since = engine.now()
        self._engine = engine

    def begin(self) -> None:
        self._engine.multiplexed.setdefault(self.upstream.key, []).append(self)
        self.wire.begin()

    @property
    def free(self) -> bool:
        """Whether it takes one more request."""
        wire = self.wire
        most = wire.h2.remote_settings.max_concurrent_streams
        return wire.link.open and not wire.closing and len(wire.streams) < most and wire.h2.open_outbound_streams < most

    def left(self) -> None:
        """A request is done with it."""
        if self.wire.streams:
            return
        self.idle_since = self._engine.now()
        if self.wire.closing:
            self.wire.link.close()

    def _answered(self, event: events.Event) -> None:
        assert isinstance(event, events.ResponseReceived | events.InformationalResponseReceived)
        stream = self.wire.streams.get(event.stream_id)
        if isinstance(stream, Http2Forward):
            stream.got_head(event)

    def _gone(self) -> None:
        found = self._engine.multiplexed.get(self.upstream.key, [])
        if self in found:
            found.remove(self)
        if not found:
            self._engine.multiplexed.pop(self.upstream.key, None)


class Http2Forward(Forward):
    ALPN = ALPN

    def __init__(self, session: "Session", side: Side, flow: http.HTTPFlow, passage: Passage, length: int | None) -> None:
        super().__init__(session, side, flow, passage, length)
        self._shared: Multiplexed | None = None
        self._number = 0
        self._unread = 0
        """Bytes of the answer that were passed on while the client took no more; their window stays closed."""
        self._method = flow.request.data.method

    @property
    def last_byte(self) -> float:
        return self._shared.wire.link.last if self._shared is not None else super().last_byte

    @property
    def takes(self) -> bool:
        return self._shared is not None or super().takes

    # --- towards the destination

    def _find(self, key: Key) -> bool:
        for shared in self._engine.multiplexed.get(key, ()):
            if shared.free:
                self._share(shared)
                return True
        return super()._find(key)

    def _use(self, upstream: Upstream) -> None:
        if upstream.server.alpn != b"h2":
            super()._use(upstream)
            return
        shared = Multiplexed(self._engine, upstream)
        shared.begin()
        self._share(shared)

    def _share(self, shared: Multiplexed) -> None:
        try:
            self._check(shared.upstream.key)
            number = shared.wire.h2.get_next_available_stream_id()
            self._shared, self._number = shared, number
            shared.wire.streams[number] = self
            self._flow.server_conn = shared.upstream.server
            nothing = self._length is None or self._length == 0
            shared.wire.head(number, request_headers(self._flow.request, self._length), end=nothing)
        except UpstreamUnreachable as error:
            self._fail(error)
            return
        except H2Error as error:
            self._fail(UpstreamUnreachable(f"the destination's connection takes no request: {type(error).__name__}"))
            return
        self._sent = nothing
        if self._body is not None and not nothing:
            self._sent = True
            shared.wire.send(number, self._body)
            shared.wire.finish(number)
        self._side.connected()

    def send(self, data: bytes, *, done: bool) -> None:
        if self._shared is None:
            super().send(data, done=done)
            return
        if self._sent:
            return
        self._sent = done
        if data:
            self._shared.wire.send(self._number, data)
        if done and self._shared is not None:
            self._shared.wire.finish(self._number)

    def pause(self, high: bool) -> None:
        if self._shared is None:
            super().pause(high)
            return
        self._paused = high
        if not high and self._unread:
            unread, self._unread = self._unread, 0
            self._shared.wire.passed_on(self._number, unread)
            self._shared.wire.flush()

    # --- from the destination

    def got_head(self, event: events.ResponseReceived | events.InformationalResponseReceived) -> None:
        """Raises ProtocolError for what ends the connection, as `Http2._opened` does."""
        ended = isinstance(event, events.ResponseReceived) and event.stream_ended is not None
        try:
            response, length = read_response(event.headers, method=self._method, ended=ended)
        except (Malformed, HeadTooLarge) as error:
            check_lawful(event.headers, response=True)
            self._fail(UpstreamUnreachable(f"the destination's answer is refused: {error.detail}"))
            return
        if isinstance(event, events.InformationalResponseReceived):
            self._interims += 1
            if self._interims > INTERIM_LIMIT:
                self._fail(UpstreamUnreachable("the destination's answer is refused: too many interim answers"))
            elif response.data.status_code != 100:
                response.data.headers.fields = without_ours(response.data.headers.fields)
                self._side.interim(response)
            return
        self._begun, self._bodiless = True, length == 0
        self._side.answer_begins(response, CHUNKED if length < 0 else length, b"")

    def got_data(self, data: bytes, credit: int) -> None:
        if self._shared is None or self._over:
            return
        shared = self._shared
        if data and self._bodiless:
            self._fail(UpstreamUnreachable("the destination's answer is refused: it has a body where none may be"))
            return
        if data:
            self._side.answer_data(data)
        if self._paused:
            self._unread += credit
        else:
            shared.wire.passed_on(self._number, credit)

    def got_trailers(self, fields: list[Field]) -> None:
        if self._over:
            return
        try:
            self._trailers = end_to_end_trailers(read_trailers(fields))
        except (Malformed, HeadTooLarge) as error:
            self._fail(UpstreamUnreachable(f"the destination's trailers are refused: {error.detail}"))

    def got_end(self) -> None:
        if self._over or not self._begun:
            return
        self._over = True
        trailers = self._trailers
        self._let_go(reuse=True)
        self._side.answer_ends(trailers)

    def got_reset(self, code: int) -> None:
        self._shared = None
        if not self._over:
            self._fail(UpstreamUnreachable(f"the destination ended the request ({code})"))

    def full(self, high: bool) -> None:
        self._side.stop(high)

    _begun = _bodiless = False
    _trailers: tuple[Field, ...] = ()

    def _let_go(self, *, reuse: bool) -> None:
        shared, self._shared = self._shared, None
        if shared is None:
            super()._let_go(reuse=reuse)
            return
        shared.wire.streams.pop(self._number, None)
        if self._unread:
            shared.wire.passed_on(self._number, self._unread)
        if not (reuse and self._sent):
            shared.wire.reset(self._number, ErrorCodes.NO_ERROR if reuse else ErrorCodes.CANCEL)
        shared.wire.flush()
        shared.left()
