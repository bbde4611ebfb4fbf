"""The HTTP/1 requests of one client connection, one after another (RFC 9112): a strict head, the hooks, the body, upstream, the
answer. The steps of the path see mitmproxy's flows; nothing of mitmproxy's layers is under them.

    idle ─ head ─▶ judged ─┬─ refused ───────────────────────▶ answered ─▶ idle, or closing
                           ├─ released ─▶ forwarded ─▶ answered
                           └─ may be held ─▶ collecting ─▶ judged
"""

from enum import Enum
from time import time
from typing import TYPE_CHECKING

from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http

from addons.passage import Condemned, Passage, passage_of
from addons.tunnels import Target
from firewall.errors import BodyTooLarge, Malformed, Refused, UpstreamTimeout
from gateway import websocket
from gateway.body import CHUNKED, TO_THE_END, Body, chunk, last_chunk
from gateway.fields import Field, Fields
from gateway.flows import forget
from gateway.forward import Forward
from gateway.link import Link
from gateway.message import end_of_head, own_answer, read_request, response_head
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session

AHEAD_LIMIT = 64 << 10
"""How many bytes are read ahead of what can be dealt with now."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    IDLE = "idle"
    JUDGED = "judged"
    COLLECTING = "collecting"
    FORWARDED = "forwarded"
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
        self._clear()

    def _clear(self) -> None:
        self._flow: http.HTTPFlow | None = None
        self._passage: Passage | None = None
        self._body = Body(0, strict=True)
        self._length = 0
        self._pieces: list[bytes] = []
        self._forward: Forward | None = None
        self._close = False
        self._old = False
        """The client speaks HTTP/1.0."""
        self._answer_length: int | None = None
        """Of the answer as it is sent on; None as long as nothing was."""

    def begin(self, data: bytes) -> None:
        self._session.hand_to(self)
        self._session.expect(Phase.HEAD)
        if data:
            self.received(self._link, data)

    # --- the client's link

    def received(self, link: Link, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
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
                return bool(self._buffer) and self._head()
            case State.COLLECTING:
                return self._collect()
            case State.FORWARDED:
                return self._upload()
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
        if self._forward is not None:
            self._forward.pause(high)

    def lost(self, link: Link) -> None:
        self._state = State.GONE
        self._buffer.clear()
        self._pieces.clear()
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.drop()
        if self._flow is not None:
            self._flow.live = False
        self._engine.hooks.tell("client_disconnected", self._session.client)
        self._session.over()

    def last_byte(self) -> float:
        return max(self._link.last, self._forward.last_byte if self._forward is not None else 0.0)

    def expired(self, phase: Phase) -> None:
        self._engine.log.info("connection.timeout", phase=phase.value)
        if self._forward is not None and phase in (Phase.DIAL, Phase.ANSWER):
            what = "did not accept the connection" if phase is Phase.DIAL else "was silent for too long"
            self._forward.expire(UpstreamTimeout(f"the destination {what}"))
        else:
            self._link.abort()

    # --- the request

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
            self._start(self._condemned(error), 0)
        else:
            self._start(request, length)
        return self._state is not State.GONE

    def _condemned(self, error: Refused) -> http.Request:
        """Stands for a head that is none, and goes the same way, so that its refusal is recorded like any."""
        request = Condemned.__new__(Condemned)
        request.data = http.RequestData(
            http_version=b"HTTP/1.1", headers=Fields(), content=b"", trailers=None, timestamp_start=time(), timestamp_end=None,
            host="unknown.invalid", port=80, method=b"GET", scheme=b"http", authority=b"", path=b"/",
        )  # fmt: skip
        request.refusal = error
        return request

    def _start(self, request: http.Request, length: int) -> None:
        data = request.data
        if self._target is not None:
            (data.host, data.port), data.scheme = self._target, self._scheme
        self._old = data.http_version == b"HTTP/1.0"
        options = str(request.headers.get("connection", "")).lower()
        self._close = "close" in options or (self._old and "keep-alive" not in options) or isinstance(request, Condemned)
        self._length, self._body = length, Body(length, strict=True)
        self._flow = flow = http.HTTPFlow(self._session.client, self._session.nowhere, live=True)
        flow.request = request
        self._run("requestheaders")

    def _run(self, hook: str) -> None:
        assert self._flow is not None
        self._state = State.JUDGED
        self._session.expect(Phase.JUDGED)
        self._engine.hooks.run(hook, self._flow, self._judged)

    def _judged(self, well: bool) -> None:
        flow = self._flow
        if self._state is not State.JUDGED or flow is None:
            return
        passage = self._passage = passage_of(flow)
        if not well or passage is None:
            self._link.abort()
        elif passage.answer is not None:
            self._answer_ours(passage.answer)
        elif passage.released:
            self._send_on(flow, passage)
        else:
            self._state = State.COLLECTING
            self._session.expect(Phase.BODY)
            self._say_continue(flow.request)
        self._go_on()

    def _say_continue(self, request: http.Request) -> None:
        """RFC 9110, section 10.1.1. What else a client may expect is for the destination, which never hears of it."""
        if not self._old and not self._body.done and not self._buffer and "expect" in request.headers:
            self._link.write(CONTINUE)

    def _collect(self) -> bool:
        assert self._flow is not None
        passage = self._passage
        if passage is None or self._body.done:
            return False
        try:
            data = self._body.take(self._buffer)
        except Malformed as error:
            passage.spoilt = error
        else:
            self._pieces.append(data)
            passage.gathered += len(data)
            if passage.gathered > passage.held_bytes:
                passage.spoilt = BodyTooLarge("too large to approve")
        if passage.spoilt is not None:
            self._pieces.clear()
        elif self._body.done:
            self._flow.request.data.content = b"".join(self._pieces)
            self._pieces.clear()
        else:
            return False
        self._flow.request.data.timestamp_end = time()
        self._run("request")
        return True

    def _send_on(self, flow: http.HTTPFlow, passage: Passage) -> None:
        self._session.expect(Phase.DIAL)
        self._session.request_since = self._engine.now()
        self._state = State.FORWARDED
        whole = passage.whole
        content = flow.request.data.content or b""
        length: int | None = self._length
        if whole:
            length = len(content) if self._length or flow.request.data.method in (b"POST", b"PUT", b"PATCH") else None
        self._forward = forward = Forward(self._session, self, flow, passage, length)
        forward.begin(content if whole else None)

    def _upload(self) -> bool:
        """What has come of a body that streams by."""
        forward, flow = self._forward, self._flow
        if forward is None or flow is None or not forward.takes or self._body.done:
            return False
        try:
            data = self._body.take(self._buffer)
        except Malformed as error:
            forward.expire(error)
            return False
        through = flow.request.stream
        if callable(through) and data:
            data = bytes(through(data))  # type: ignore[arg-type]
        if data or self._body.done:
            forward.send(data, done=self._body.done)
        if self._body.done:
            flow.request.data.timestamp_end = time()
            if self._session.phase is Phase.BODY:
                self._session.expect(Phase.ANSWER)
        return False

    # --- the answer (Forward's other side)

    def connected(self) -> None:
        assert self._flow is not None
        self._session.expect(Phase.ANSWER if self._body.done else Phase.BODY)
        if not self._body.done:
            self._say_continue(self._flow.request)
        self._go_on()

    def full(self, high: bool) -> None:
        if high:
            self._link.hold()
        else:
            self._link.unhold()

    def interim(self, response: http.Response) -> None:
        if not self._old:
            self._link.write(response_head(response, method=b"", length=TO_THE_END, close=False))

    def answer_begins(self, response: http.Response, length: int) -> None:
        flow, passage, forward = self._flow, self._passage, self._forward
        if flow is None or passage is None or forward is None:
            return
        flow.response = response
        if not self._engine.hooks.tell("responseheaders", flow):
            forward.drop()
            self._link.abort()
        elif passage.answer is not None:
            forward.drop()
            self._close = True
            self._answer_ours(passage.answer)
        elif response.data.status_code == 101:
            self._forward = None
            websocket.begin(self._session, flow, *forward.take_over(), bytes(self._buffer))
        else:
            if length == CHUNKED and self._old:
                length = TO_THE_END
            self._close = self._close or length == TO_THE_END or self._engine.draining
            self._answer_length = length
            method = flow.request.data.method
            self._link.write(response_head(response, method=method, length=length, close=self._close))
            if not self._body.done:
                self._session.expect(Phase.BODY)

    def answer_data(self, data: bytes) -> None:
        assert self._flow is not None
        stream = self._flow.response.stream if self._flow.response is not None else None
        if callable(stream):
            data = stream(data)  # type: ignore[assignment]
        self._link.write(chunk(data) if self._answer_length == CHUNKED else data)

    def answer_ends(self, trailers: tuple[Field, ...]) -> None:
        flow = self._flow
        if flow is None or flow.response is None:
            return
        if self._answer_length == CHUNKED:
            self._link.write(last_chunk(trailers))
        flow.response.data.timestamp_end = time()
        if not self._engine.hooks.tell("response", flow):
            self._link.abort()
            return
        self._close = self._close or not self._may_swallow()
        self._end()

    def failed(self, error: Refused) -> None:
        flow, passage, self._forward = self._flow, self._passage, None
        if flow is None or passage is None:
            return
        passage.failure = passage.failure or error
        flow.error = mitmproxy_flow.Error(error.detail)
        self._engine.hooks.tell("error", flow)
        if self._answer_length is None and passage.answer is not None:
            self._answer_ours(passage.answer)
        else:
            self._link.abort()  # the client must see that the body is cut

    def _answer_ours(self, response: http.Response) -> None:
        assert self._flow is not None
        self._close = self._close or self._engine.draining or not self._may_swallow()
        self._link.write(own_answer(response, method=self._flow.request.data.method, close=self._close))
        self._end()

    def _may_swallow(self) -> bool:
        """Whether the rest of a body that nobody wants is so short that the connection is worth it. One that waits to be told to
        go on may never come."""
        if self._body.done:
            return True
        waits = self._flow is not None and "expect" in self._flow.request.headers
        return not waits and (self._body.left or AHEAD_LIMIT + 1) <= AHEAD_LIMIT

    def _swallow(self) -> bool:
        self._body.take(self._buffer)
        if not self._body.done:
            return False
        self._state = State.IDLE
        self._session.expect(Phase.IDLE)
        return True

    def _end(self) -> None:
        """The answer is out."""
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.drop()
        if self._flow is not None:
            forget(self._flow)
        body, close = self._body, self._close
        self._session.request_since = None
        self._clear()
        if not body.done and not close:
            self._body = body
            self._state = State.SWALLOWING
            self._session.expect(Phase.BODY)
            self._go_on()
        elif not body.done:
            # A client that is still sending would lose the answer to a reset; what it sends is read and forgotten for a while.
            self._state = State.CLOSING
            self._session.expect(Phase.LINGER)
            self._link.finish()
        elif close:
            self._state = State.CLOSING
            self._session.expect(Phase.LINGER)
            self._link.close()
        else:
            self._state = State.IDLE
            self._session.expect(Phase.IDLE)
            self._go_on()
