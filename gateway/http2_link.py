"""HTTP/2 on one link, either side of it: the `h2` library's state machine, with what it leaves to its user: bodies wait here for
the peer's windows, bounded, and what has come is acknowledged only when it was passed on, so that nobody's bytes gather
(TRAPS 11)."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import structlog
from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import H2Error, ProtocolError

from gateway.fields import Field
from gateway.http2_calm import Calm
from gateway.http2_library import FRAME, STREAMS, WINDOW, Connection, check_lawful
from gateway.link import Link

CONNECTION_WINDOW = STREAMS * WINDOW
"""So wide that a stream that is held does not stop the others."""
HIGH, LOW = 64 << 10, 16 << 10
BACKLOG = 1 << 20
"""Bytes that the peer's TCP does not take, from which on no more of it is read."""
CALM = 500
"""How many frames that do nothing (resets of streams, empty data) a peer may send more than frames that do something."""

log = structlog.get_logger()


class Stream(Protocol):
    """One request and its answer, on this link."""

    def got_data(self, data: bytes, credit: int) -> None:
        """`credit`: bytes to give back by `Http2Link.passed_on`."""

    def got_end(self) -> None: ...

    def got_trailers(self, fields: list[Field]) -> None: ...

    def got_reset(self, code: int) -> None:
        """The peer ended it, or the connection is over. Nothing comes after this."""

    def full(self, high: bool) -> None:
        """`high`: no more to `send` for now."""


class Out:
    """What of one stream waits to be sent."""

    __slots__ = ("ended", "full", "pending", "reset", "trailers")

    def __init__(self) -> None:
        self.pending = bytearray()
        self.trailers: list[Field] = []
        self.ended = False
        self.full = False
        self.reset: ErrorCodes | None = None
        """With what to end the stream when all is sent, although the peer is not done."""


class Http2Link:
    """`on_event`: gets what belongs to no stream yet. `over`: the connection ended. `end`: ends it, after a goodbye."""

    def __init__(
        self, link: Link, *, client_side: bool, on_event: Callable[[events.Event], None], over: Callable[[], None]
    ) -> None:
        self.link = link
        self.streams: dict[int, Stream] = {}
        self.closing = False
        """No further stream may be opened. When all are over and all is sent, the connection ends."""
        self.end = link.close
        self._on_event = on_event
        self._over = over
        self.outs: dict[int, Out] = {}
        self._waiting: set[int] = set()
        """Streams of which less than a frame waits for what comes with it before the flush, most often their end."""
        self._held = self._due = False
        self._idle_frames = 0
        self._calm = Calm(asyncio.get_running_loop().time)
        self._loop = asyncio.get_running_loop()
        self.h2 = Connection(client_side=client_side)

    def begin(self) -> None:
        self.link.owner = self
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
        self.flush()

    # --- the link

    def received(self, link: Link, data: bytes) -> None:
        try:
            happened = self.h2.receive_data(data)
        except (H2Error, ValueError, IndexError) as error:  # the library has raised the last two on nonsense
            self._refuse(error)
            return
        for event in happened:
            try:
                self._happened(event)
            except ProtocolError as error:
                self._refuse(error)
                return
            if not self.link.open:
                return
        self._flush()
        if self._idle_frames > CALM or self._calm.lost:
            log.info("http2.refused", reason="flood")
            self._goodbye(ErrorCodes.ENHANCE_YOUR_CALM)
        elif not self._held and self.link.backlog > BACKLOG:
            self._held = True
            self.link.hold()

    def pressure(self, link: Link, high: bool) -> None:
        if high:
            return
        if self._held:
            self._held = False
            link.unhold()
        for number in list(self.outs):
            self._pump(number)
        self.flush()

    def lost(self, link: Link) -> None:
        self.closing = True
        self._end_all()
        self._over()

    def flush(self) -> None:
        """What is to be sent goes soon, all of it at once: each write is a TLS record and a packet."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        while self._waiting:
            self._pump(self._waiting.pop())
        self.link.write(self.h2.data_to_send())
        if self.closing and not self.streams and not self.outs and self.link.open:
            self._goodbye(ErrorCodes.NO_ERROR)

    def _end_all(self) -> None:
        self.outs.clear()
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.got_reset(ErrorCodes.CANCEL)

    def _refuse(self, error: Exception) -> None:
        log.info("http2.refused", reason=type(error).__name__)
        self._goodbye(error.error_code if isinstance(error, ProtocolError) else ErrorCodes.PROTOCOL_ERROR)

    def _goodbye(self, code: int) -> None:
        with suppress(H2Error):
            self.h2.close_connection(code)
        self.link.write(self.h2.data_to_send())
        self.closing = True
        self._end_all()
        self.end()

    # --- what comes

    def _happened(self, event: events.Event) -> None:
        match event:
            case events.DataReceived(stream_id=int(number), data=bytes(data), flow_controlled_length=int(credit)):
                if data:
                    self._calm.moved()
                else:
                    self._idle_frames += 1
                stream = self.streams.get(number)
                if stream is None:
                    self.passed_on(number, credit)
                else:
                    stream.got_data(data, credit)
            case events.StreamEnded(stream_id=int(number)):
                if (stream := self.streams.get(number)) is not None:
                    stream.got_end()
            case events.TrailersReceived(stream_id=int(number)):
                check_lawful(event.headers or (), trailers=True)
                if (stream := self.streams.get(number)) is not None:
                    stream.got_trailers(list(event.headers or ()))
            case events.StreamReset(stream_id=int(number)):
                self._idle_frames += 1
                self.outs.pop(number, None)
                if (stream := self.streams.pop(number, None)) is not None:
                    stream.got_reset(int(event.error_code or 0))
            case events.WindowUpdated(stream_id=number):
                for one in list(self.outs) if not number else [number]:
                    self._pump(one)
            case events.RemoteSettingsChanged():
                self._calm.chatter()
                for one in list(self.outs):
                    self._pump(one)
            case events.ConnectionTerminated():
                self._bidden_goodbye(event)
            case events.RequestReceived() | events.ResponseReceived() | events.InformationalResponseReceived():
                self._on_event(event)
            case _:
                self._calm.chatter()  # pings answer themselves; the rest asks for nothing

    def _bidden_goodbye(self, event: events.ConnectionTerminated) -> None:
        """What the peer has heard of may still end."""
        self.closing = True
        if event.error_code:
            self._goodbye(ErrorCodes.NO_ERROR)
            return
        for number in [one for one in self.streams if self.h2.config.client_side and one > (event.last_stream_id or 0)]:
            self.outs.pop(number, None)
            self.streams.pop(number).got_reset(ErrorCodes.REFUSED_STREAM)
        self.flush()

    def passed_on(self, number: int, credit: int) -> None:
        """So many bytes of a stream were passed on: as many more may come."""
        if credit:
            with suppress(H2Error):  # a stream that has ended needs no window, and a connection that has none either
                self.h2.acknowledge_received_data(credit, number)

    # --- what goes

    def head(self, number: int, fields: Iterable[Field], *, end: bool = False) -> None:
        """A HEADERS frame. Raises H2Error when the stream has ended meanwhile."""
        self.h2.send_headers(number, list(fields), end_stream=end)
        self._calm.moved()
        if not end:
            self.outs.setdefault(number, Out())
        self.flush()

    def interim(self, number: int, fields: Iterable[Field]) -> None:
        """A HEADERS frame of a 1xx answer."""
        with suppress(H2Error):
            self.h2.send_headers(number, list(fields))
        self.flush()

    def send(self, number: int, data: bytes) -> None:
        out = self.outs.get(number)
        if out is None:
            return
        out.pending += data
        if len(out.pending) < FRAME:
            self._waiting.add(number)
        else:
            self._pump(number)
        self.flush()

    def finish(self, number: int, trailers: Iterable[Field] = (), *, reset: ErrorCodes | None = None) -> None:
        """After what was sent, the end. `reset`: and with it the end of what the peer sends."""
        out = self.outs.get(number)
        if out is None:
            return
        out.ended, out.trailers, out.reset = True, list(trailers), reset
        self._waiting.discard(number)
        self._pump(number)
        self.flush()

    def reset(self, number: int, code: int) -> None:
        """Ends a stream at once."""
        self.outs.pop(number, None)
        self.streams.pop(number, None)
        with suppress(H2Error):
            self.h2.reset_stream(number, code)
        self.flush()

    def _pump(self, number: int) -> None:
        out = self.outs.get(number)
        if out is None or self.link.congested:
            return
        try:
            self._push(number, out)
        except H2Error:  # the stream ended meanwhile; that comes, or came, by `got_reset`
            self.outs.pop(number, None)
            return
        stream = self.streams.get(number)
        if stream is not None and out.full != (len(out.pending) > (LOW if out.full else HIGH)):
            out.full = not out.full
            stream.full(out.full)

    def _push(self, number: int, out: Out) -> None:
        while out.pending:
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(out.pending))
            if size <= 0:
                return
            last = size == len(out.pending) and out.ended and not out.trailers
            self.h2.send_data(number, bytes(out.pending[:size]), end_stream=last)
            self._calm.moved()
            del out.pending[:size]
            if last:
                self._sent(number, out)
                return
        if out.ended:
            if out.trailers:
                self.h2.send_headers(number, out.trailers, end_stream=True)
            else:
                self.h2.send_data(number, b"", end_stream=True)
            self._sent(number, out)

    def _sent(self, number: int, out: Out) -> None:
        del self.outs[number]
        self._idle_frames = max(0, self._idle_frames - 1)
        if out.reset is not None:
            self.h2.reset_stream(number, out.reset)
