"""The HTTP/1 requests of one client connection, one after another (RFC 9112). A strict head begins a `turn`; the next one begins
when its answer is out. The steps of the path see mitmproxy's flows; nothing of mitmproxy's layers is under them.

    idle ─ head ─▶ under way ─▶ (swallowing the rest of a body) ─▶ idle, or closing
"""

from enum import Enum
from typing import TYPE_CHECKING

from mitmproxy import http

from addons.tunnels import Target
from firewall.errors import Malformed, Refused
from gateway.body import Body
from gateway.flows import condemned
from gateway.link import Link
from gateway.message import end_of_head, read_request
from gateway.timeouts import Phase
from gateway.turn import AHEAD_LIMIT, Turn

if TYPE_CHECKING:
    from gateway.session import Session


class State(Enum):
    IDLE = "idle"
    UNDER_WAY = "under way"
    SWALLOWING = "swallowing"
    CLOSING = "closing"
    GONE = "gone"


class Exchange:
    """`target`: where the CONNECT led, None for plain requests to the proxy. `scheme`: http or https, of what comes."""

    def __init__(self, session: "Session", *, target: Target | None, scheme: bytes) -> None:
        self._session = session
        self._engine = session.engine
        self._link = session.link
        self._target = target
        self._scheme = scheme
        self._buffer = bytearray()
        self._state = State.IDLE
        self._reading = False
        self._held_back = False
        self._turn: Turn | None = None
        self._rest = Body(0, strict=True)
        """Of a body that nobody wants."""

    def begin(self, data: bytes) -> None:
        self._session.hand_to(self)
        self._session.expect(Phase.HEAD)
        if data:
            self.received(self._link, data)

    # --- the client's link

    def received(self, link: Link, data: bytes) -> None:
        self._buffer += data
        self.go_on()

    def go_on(self) -> None:
        if self._reading:
            return
        self._reading = True
        try:
            while self._step():
                pass
        finally:
            self._reading = False
        self._hold_back(len(self._buffer) > AHEAD_LIMIT)

    def _step(self) -> bool:
        """Does what can be done with the bytes that are here; False when there is nothing."""
        match self._state:
            case State.IDLE:
                return bool(self._buffer) and not self._link.congested and self._head()
            case State.UNDER_WAY:
                return self._turn is not None and self._turn.step()
            case State.SWALLOWING:
                return self._swallow()
            case State.CLOSING:
                self._buffer.clear()
        return False

    def _hold_back(self, much: bool) -> None:
        if much != self._held_back and self._link.open:
            self._held_back = much
            if much:
                self._link.hold()
            else:
                self._link.unhold()

    def pressure(self, link: Link, high: bool) -> None:
        if self._turn is not None:
            self._turn.pressure(high)
        elif not high:
            self.go_on()

    def lost(self, link: Link) -> None:
        self._state = State.GONE
        self._buffer.clear()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.lost()
        self._engine.hooks.tell("client_disconnected", self._session.client)
        self._session.over()

    def last_byte(self) -> float:
        return max(self._link.last, self._turn.last_byte() if self._turn is not None else 0.0)

    def tick(self, now: float) -> None:
        if self._state is State.CLOSING and self._session.phase is Phase.ANSWER and not self._link.backlog:
            self._session.expect(Phase.LINGER)

    def expired(self, phase: Phase) -> None:
        self._engine.log.info("connection.timeout", phase=phase.value)
        if self._turn is not None:
            self._turn.expired(phase)
        else:
            self._link.abort()

    # --- requests

    def _head(self) -> bool:
        if self._session.phase is Phase.IDLE:
            self._session.expect(Phase.HEAD)
        try:
            end = end_of_head(self._buffer)
            if end is None:
                return False
            head = bytes(self._buffer[:end])
            del self._buffer[:end]
            request, length = read_request(head, inside=self._target is not None)
            if request.data.method == b"CONNECT":
                raise Malformed("CONNECT comes first on its connection")
        except Refused as error:
            self._buffer.clear()
            self._start(condemned(error), 0)
        else:
            self._start(request, length)
        return self._state is not State.GONE

    def _start(self, request: http.Request, length: int) -> None:
        data = request.data
        if self._target is not None:
            (data.host, data.port), data.scheme = self._target, self._scheme
        self._state = State.UNDER_WAY
        self._turn = Turn(self._session, self, self._buffer, request, length)
        self._turn.begin()

    def answered(self, turn: Turn) -> None:
        """Its answer is out."""
        self._turn = None
        self._session.request_since = None
        self._link.resets = False
        if not turn.body.done and not turn.close:
            self._rest = turn.body
            self._state = State.SWALLOWING
            self._session.expect(Phase.BODY)
            self.go_on()
        elif turn.close or not turn.body.done:
            # A client that is still sending would lose the answer to a reset; what it sends is read and forgotten for a while.
            self._state = State.CLOSING
            self._link.finish()
            # What is written already may be read as slowly as any answer.
            self._session.expect(Phase.ANSWER if self._link.backlog else Phase.LINGER)
            self.go_on()
        else:
            self._state = State.IDLE
            self._session.expect(Phase.IDLE)
            self.go_on()

    def _swallow(self) -> bool:
        self._rest.take(self._buffer)
        if not self._rest.done:
            return False
        self._state = State.IDLE
        self._session.expect(Phase.IDLE)
        return True
