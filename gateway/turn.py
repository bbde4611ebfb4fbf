"""One request of a client's HTTP/1 connection, and its answer: the hooks, the body, the destination, and what comes of it. Each has
a turn of its own, so that nothing which comes late can reach the next.

    judged ─┬─ refused ────────────────────▶ answered
            ├─ released ─▶ forwarded ──────▶ answered
            └─ needs its body ─▶ collecting ─▶ judged
"""

from enum import Enum
from time import time
from typing import TYPE_CHECKING

from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http

from addons.passage import Condemned, Passage, passage_of
from firewall.errors import Malformed, Refused, UpstreamTimeout
from gateway import websocket
from gateway.body import CHUNKED, TO_THE_END, Body, chunk, last_chunk
from gateway.fields import Field
from gateway.flows import flow_of, forget
from gateway.forward import Forward
from gateway.message import own_answer, response_head
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.exchange import Exchange
    from gateway.session import Session

AHEAD_LIMIT = 64 << 10
"""How many bytes are read ahead of what can be dealt with now."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    JUDGED = "judged"
    COLLECTING = "collecting"
    FORWARDED = "forwarded"
    OVER = "over"


class Turn:
    """`buffer`: where the client's bytes arrive, shared with the exchange. `length`: of the body (bytes or CHUNKED).

    `body`: what is still to come of it. `close`: the connection ends with this answer.
    """

    def __init__(self, session: "Session", exchange: "Exchange", buffer: bytearray, request: http.Request, length: int) -> None:
        self._session = session
        self._engine = session.engine
        self._link = session.link
        self._exchange = exchange
        self._buffer = buffer
        self._flow = flow_of(session.client, session.nowhere, request)
        self._passage: Passage | None = None
        self._forward: Forward | None = None
        self._length = length
        self._state = State.JUDGED
        self._old = request.data.http_version == b"HTTP/1.0"
        """The client speaks HTTP/1.0."""
        self._answer_length: int | None = None
        """Of the answer as it is sent on; None as long as nothing was."""
        self.body = Body(length, strict=True)
        # RFC 9112, section 9.3: a proxy keeps no connection of HTTP/1.0, whatever is asked for.
        self.close = self._old or "close" in str(request.headers.get("connection", "")).lower() or isinstance(request, Condemned)

    # --- the exchange

    def begin(self) -> None:
        self._run("requestheaders")

    def step(self) -> bool:
        """Does what can be done with the bytes that are here; False when there is nothing."""
        match self._state:
            case State.COLLECTING:
                return self._collect()
            case State.FORWARDED:
                return self._upload()
            case _:
                return False

    def pressure(self, high: bool) -> None:
        if self._forward is not None:
            self._forward.pause(high)

    def last_byte(self) -> float:
        return self._forward.last_byte if self._forward is not None else 0.0

    def expired(self, phase: Phase) -> None:
        if self._forward is not None and phase in (Phase.DIAL, Phase.ANSWER) and not self._link.congested:
            what = "did not accept the connection" if phase is Phase.DIAL else "was silent for too long"
            self._forward.expire(UpstreamTimeout(f"the destination {what}"))
        else:
            self._link.abort()

    def lost(self) -> None:
        """The client is gone."""
        self._state = State.OVER
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.drop()
        self._flow.live = False

    # --- the request

    def _run(self, hook: str) -> None:
        self._state = State.JUDGED
        self._session.expect(Phase.JUDGED)
        self._engine.hooks.run(hook, self._flow, self._judged)

    def _judged(self, well: bool) -> None:
        if self._state is not State.JUDGED:
            return
        try:
            self._go_on(well)
        except Exception:  # what is left half done has nobody else who would end it
            self._engine.log.exception("turn.failed")
            self._link.abort()

    def _go_on(self, well: bool) -> None:
        passage = self._passage = passage_of(self._flow)
        if not well or passage is None:
            self._link.abort()
        elif passage.answer is not None:
            self._answer_ours(passage.answer)
        elif passage.released:
            self._send_on(passage)
        elif passage.parked:
            self._state = State.COLLECTING
            self._session.expect(Phase.BODY)
            self._session.request_since = self._engine.now()
            self._say_continue()
        else:
            raise AssertionError("a request was neither refused nor released, nor does it wait for its body")
        self._exchange.go_on()

    def _say_continue(self) -> None:
        """RFC 9110, section 10.1.1. What else a client may expect is for the destination, which never hears of it."""
        begun = self._buffer or (self._passage is not None and self._passage.gathered)
        if not self._old and not self.body.done and not begun and "expect" in self._flow.request.headers:
            self._link.write(CONTINUE)

    def _collect(self) -> bool:
        passage = self._passage
        if passage is None or self.body.done:
            return False
        try:
            data = self.body.take(self._buffer)
        except Malformed as error:
            passage.spoil(error)
        else:
            if not passage.gather(data, done=self.body.done):
                return False
        self._flow.request.data.timestamp_end = time()
        self._run("request")
        return True

    def _send_on(self, passage: Passage) -> None:
        self._session.expect(Phase.DIAL)
        self._session.request_since = self._engine.now()
        self._state = State.FORWARDED
        data = self._flow.request.data
        content = data.content or b""
        length: int | None = self._length
        if passage.whole:
            length = len(content) if self._length or data.method in (b"POST", b"PUT", b"PATCH") else None
        self._forward = forward = Forward(self._session, self, self._flow, passage, length)
        forward.begin(content if passage.whole else None)

    def _upload(self) -> bool:
        """What has come of a body that streams by."""
        forward, request = self._forward, self._flow.request
        passage = self._passage
        if passage is None or forward is None or not forward.takes or (self.body.done and not passage.gathered):
            return False
        try:
            data = self.body.take(self._buffer)
        except Malformed as error:
            forward.expire(error)
            return False
        if passage.gathered:  # what it was judged by goes first
            data, passage.gathered = bytes(passage.gathered) + data, bytearray()
        through = request.stream
        if callable(through) and data:
            data = bytes(through(data))  # type: ignore[arg-type]
        if data or self.body.done:
            forward.send(data, done=self.body.done)
        if self.body.done:
            request.data.timestamp_end = time()
            if self._session.phase is Phase.BODY:
                self._session.expect(Phase.ANSWER)
        return self._state is State.OVER  # an early answer came to its end meanwhile, and the next request may be here already

    # --- the answer (Forward's other side)

    def connected(self) -> None:
        self._session.expect(Phase.ANSWER if self.body.done else Phase.BODY)
        if not self.body.done:
            self._say_continue()
        self._exchange.go_on()

    def stop(self, high: bool) -> None:
        if high:
            self._link.hold()
        else:
            self._link.unhold()

    def interim(self, response: http.Response) -> None:
        if not self._old:
            self._link.write(response_head(response, method=b"", length=TO_THE_END, close=False))

    def answer_begins(self, response: http.Response, length: int, data: bytes) -> None:
        flow, passage, forward = self._flow, self._passage, self._forward
        if passage is None or forward is None:
            return
        flow.response = response
        if not self._engine.hooks.tell("responseheaders", flow):
            forward.drop()
            self._link.abort()
        elif passage.answer is not None:
            forward.drop()
            self.close = True
            self._answer_ours(passage.answer)
        elif response.data.status_code == 101:
            self._forward = None
            ahead = bytes(self._buffer)
            self._buffer.clear()
            self._exchange.go_on()  # which reads again, had it read too far ahead
            websocket.begin(self._session, flow, *forward.take_over(), ahead)
        else:
            if length == CHUNKED and self._old:
                length = TO_THE_END
            self.close = self.close or length == TO_THE_END or self._engine.draining
            self._answer_length = length
            self._link.resets = length == TO_THE_END
            head = response_head(response, method=flow.request.data.method, length=length, close=self.close)
            self._link.write(head + self._framed(data))  # together: each write is a TLS record
            if not self.body.done:
                self._session.expect(Phase.BODY)

    def answer_data(self, data: bytes) -> None:
        self._link.write(self._framed(data))

    def _framed(self, data: bytes) -> bytes:
        stream = self._flow.response.stream if self._flow.response is not None else None
        if callable(stream):
            data = stream(data)  # type: ignore[assignment]
        return chunk(data) if self._answer_length == CHUNKED else data

    def answer_ends(self, trailers: tuple[Field, ...]) -> None:
        flow = self._flow
        if flow.response is None:
            return
        if self._answer_length == CHUNKED:
            self._link.write(last_chunk(trailers))
        flow.response.data.timestamp_end = time()
        if not self._engine.hooks.tell("response", flow):
            self._link.abort()
            return
        self.close = self.close or not self._may_swallow()
        self._end()

    def failed(self, error: Refused) -> None:
        passage, self._forward = self._passage, None
        if passage is None:
            return
        passage.failure = passage.failure or error
        self._flow.error = mitmproxy_flow.Error(error.detail)
        self._engine.hooks.tell("error", self._flow)
        if self._answer_length is None and passage.answer is not None:
            self._answer_ours(passage.answer)
        else:
            self._link.abort()  # the client must see that the body is cut

    def _answer_ours(self, response: http.Response) -> None:
        self.close = self.close or self._engine.draining or not self._may_swallow()
        self._link.write(own_answer(response, method=self._flow.request.data.method, close=self.close))
        self._end()

    def _may_swallow(self) -> bool:
        """Whether the rest of a body that nobody wants is so short that the connection is worth it. One that waits to be told to
        go on may never come."""
        if self.body.done:
            return True
        waits = "expect" in self._flow.request.headers
        return not waits and (self.body.left or AHEAD_LIMIT + 1) <= AHEAD_LIMIT

    def _end(self) -> None:
        """The answer is out."""
        self._state = State.OVER
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.drop()
        forget(self._flow)
        self._exchange.answered(self)
