"""HTTP/2 towards an agent (RFC 9113), for clients that speak nothing else and hosts that prefer it. Each stream goes the way of any
request: the same hooks, the same upstream half; only the framing is another."""

from typing import TYPE_CHECKING

from h2 import events

from addons.tunnels import Target
from firewall.errors import Refused
from gateway.flows import condemned
from gateway.http2_library import check_lawful
from gateway.http2_link import Http2Link
from gateway.http2_message import read_request
from gateway.http2_turn import Http2Turn
from gateway.link import Link
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session


class Http2:
    """The session's stage."""

    def __init__(self, session: "Session", target: Target) -> None:
        self.session = session
        self.target = target
        self.requests: dict[int, Http2Turn] = {}
        self.wire = Http2Link(session.link, client_side=False, on_event=self._opened, over=self._gone)
        self.wire.end = self._linger

    def begin(self) -> None:
        self.session.hand_to(self)
        self.session.expect(Phase.IDLE)
        self.wire.begin()
        self.session.link.owner = self

    # --- the client's link

    def received(self, link: Link, data: bytes) -> None:
        self.wire.received(link, data)

    def pressure(self, link: Link, high: bool) -> None:
        self.wire.pressure(link, high)

    def lost(self, link: Link) -> None:
        self.wire.lost(link)

    def last_byte(self) -> float:
        return self.session.link.last

    def expired(self, phase: Phase) -> None:
        if self.session.link.open:  # else it is ending, and what is left of it has its own time
            self.session.engine.log.info("connection.timeout", phase=phase.value)
            self.session.link.close()

    def tick(self, now: float) -> None:
        for request in list(self.requests.values()):
            request.tick(now)
        if self.session.phase is Phase.ANSWER and not self.requests and not self.wire.outs:
            self.session.expect(Phase.IDLE)

    def _opened(self, event: events.Event) -> None:
        """Raises ProtocolError for what ends the connection. What `read_request` takes is never such (a test compares them)."""
        assert isinstance(event, events.RequestReceived)
        number = event.stream_id
        ended = event.stream_ended is not None
        try:
            request, length = read_request(event.headers, target=self.target, ended=ended)
        except Refused as error:
            check_lawful(event.headers)
            request, length = condemned(error, target=self.target, scheme=b"https"), 0
        made = self.requests[number] = self.wire.streams[number] = Http2Turn(self, number, request, length)
        self.session.expect(Phase.OPEN)
        made.begin()

    def ended(self, number: int) -> None:
        self.requests.pop(number, None)
        self.wire.streams.pop(number, None)
        if not self.requests and self.session.link.open:
            # What is said already may be read as slowly as any answer.
            self.session.expect(Phase.ANSWER if self.wire.outs else Phase.IDLE)
            if self.session.engine.draining or self.wire.closing:
                self.wire.closing = True
                self.wire.flush()

    def _linger(self) -> None:
        """A client that is still sending (windows, say) would lose the end of its answers to a reset."""
        self.session.link.finish()
        self.session.expect(Phase.LINGER)

    def _gone(self) -> None:
        self.session.engine.hooks.tell("client_disconnected", self.session.client)
        self.session.over()
