"""One request that came by HTTP/2, and its answer: what `turn` is for HTTP/1, with a stream in place of a connection."""

from time import time
from typing import TYPE_CHECKING

from h2.errors import ErrorCodes
from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http

from addons.passage import Passage, passage_of
from firewall.errors import Malformed, Refused, UpstreamTimeout
from gateway.fields import Field
from gateway.flows import flow_of, forget
from gateway.http2_forward import Http2Forward
from gateway.http2_message import response_headers
from gateway.timeouts import FROM_START, Phase

if TYPE_CHECKING:
    from gateway.http2 import Http2


class Http2Turn:
    def __init__(self, carrier: "Http2", number: int, request: http.Request, length: int) -> None:
        self._carrier = carrier
        self._session = carrier.session
        self._engine = carrier.session.engine
        self._wire = carrier.wire
        self._number = number
        self._length = length
        self._flow = flow_of(self._session.client, self._session.nowhere, request)
        self._passage: Passage | None = None
        self._forward: Http2Forward | None = None
        self._buffer = bytearray()
        self._credit = 0
        self._ended = length == 0
        self._trailers: Refused | None = None
        """That there were some; nobody digests or passes them on."""
        self._collecting = self._blocked = self._answered = self._over = False
        self._phase, self._since, self._sent_on = Phase.JUDGED, 0.0, 0.0

    def begin(self) -> None:
        self._run("requestheaders")

    # --- the client's half

    def got_data(self, data: bytes, credit: int) -> None:
        self._since = self._engine.now()
        if self._over or (self._passage is not None and self._passage.answer is not None):
            self._wire.passed_on(self._number, credit)  # nobody wants it any more
            return
        self._buffer += data
        self._credit += credit
        self._go_on()

    def got_end(self) -> None:
        self._ended = True
        self._go_on()

    def got_trailers(self, fields: list[Field]) -> None:
        self._trailers = Malformed("trailers are not taken")
        self._go_on()

    def got_reset(self, code: int) -> None:
        if self._over:
            return
        self._over = True
        passage = self._passage or passage_of(self._flow)
        if self._forward is not None:
            self._forward.drop()
        if passage is not None:
            self._engine.guard.left(passage)
        self._close()

    def full(self, high: bool) -> None:
        """The client takes no more for now (as the wire says it), or the destination (as the forward says it: `stop`)."""
        if self._forward is not None:
            self._forward.pause(high)

    # --- the path

    def _run(self, hook: str) -> None:
        self._collecting = False
        self._sent_on = 0.0
        self._expect(Phase.JUDGED)
        self._engine.hooks.run(hook, self._flow, self._judged)

    def _judged(self, well: bool) -> None:
        if self._over:
            return
        try:
            self._decided(well)
        except Exception:  # what is left half done has nobody else who would end it
            self._engine.log.exception("turn.failed")
            self._fail()

    def _fail(self) -> None:
        self._wire.reset(self._number, ErrorCodes.INTERNAL_ERROR)
        self.got_reset(ErrorCodes.INTERNAL_ERROR)

    def _decided(self, well: bool) -> None:
        passage = self._passage = passage_of(self._flow)
        if not well or passage is None:
            self._fail()
        elif passage.answer is not None:
            self._answer_ours(passage.answer)
        elif passage.released:
            self._send_on(passage)
        else:
            self._collecting = True
            self._sent_on = self._engine.now()
            self._expect(Phase.BODY)
            self._say_continue()
            self._go_on()

    def _say_continue(self) -> None:
        """RFC 9110, section 10.1.1."""
        begun = self._buffer or self._ended or (self._passage is not None and self._passage.gathered)
        if not begun and "expect" in self._flow.request.headers:
            self._wire.interim(self._number, [(b":status", b"100")])

    def _go_on(self) -> None:
        if self._collecting and self._passage is not None:
            if self._trailers is not None:
                self._spoil(self._passage, self._trailers)
            else:
                self._collect(self._passage)
        elif self._forward is not None and self._trailers is not None:
            self._forward.expire(self._trailers)
        elif self._forward is not None and self._forward.takes and not self._blocked:
            data, done = bytes(self._buffer), self._ended
            passage = self._passage
            if passage is not None and passage.gathered:  # what it was judged by goes first
                data, passage.gathered = bytes(passage.gathered) + data, bytearray()
            if not data and not done:
                return
            self._taken()
            through = self._flow.request.stream
            if callable(through) and data:
                data = bytes(through(data))  # type: ignore[arg-type]
            self._forward.send(data, done=done)
            if done:
                self._flow.request.data.timestamp_end = time()
                if self._phase is Phase.BODY:
                    self._expect(Phase.ANSWER)

    def _collect(self, passage: Passage) -> None:
        data = bytes(self._buffer)
        self._taken()
        if passage.gather(data, done=self._ended):
            self._flow.request.data.timestamp_end = time()
            self._run("request")

    def _spoil(self, passage: Passage, error: Refused) -> None:
        passage.spoil(error)
        self._run("request")

    def _taken(self) -> None:
        """What is in the buffer goes on."""
        self._buffer.clear()
        credit, self._credit = self._credit, 0
        self._wire.passed_on(self._number, credit)
        self._wire.flush()

    def _send_on(self, passage: Passage) -> None:
        content = self._flow.request.data.content or b""
        length: int | None = self._length
        if passage.whole:
            length = len(content) if self._length or self._flow.request.data.method in (b"POST", b"PUT", b"PATCH") else None
        self._expect(Phase.DIAL)
        self._sent_on = self._engine.now()
        self._forward = Http2Forward(self._session, self, self._flow, passage, length)
        self._forward.begin(content if passage.whole else None)

    # --- the answer (Forward's other side)

    def connected(self) -> None:
        whole = self._passage is not None and self._passage.whole
        self._expect(Phase.ANSWER if whole or self._ended else Phase.BODY)
        if not whole:
            self._say_continue()
            self._go_on()

    def stop(self, high: bool) -> None:
        self._blocked = high
        if not high:
            self._go_on()

    def interim(self, response: http.Response) -> None:
        self._wire.interim(self._number, response_headers(response, length=None))

    def answer_begins(self, response: http.Response, length: int, data: bytes) -> None:
        passage, forward = self._passage, self._forward
        if passage is None or forward is None:
            return
        self._flow.response = response
        if not self._engine.hooks.tell("responseheaders", self._flow):
            forward.drop()
            self._abort()
        elif passage.answer is not None:
            forward.drop()
            self._answer_ours(passage.answer)
        elif length:
            self._answered = True
            self._wire.head(self._number, response_headers(response, length=None))
            if data:
                self.answer_data(data)
        # else: what has no body is said whole at its end. gRPC takes nothing else for an answer of trailers alone.

    def answer_data(self, data: bytes) -> None:
        stream = self._flow.response.stream if self._flow.response is not None else None
        if callable(stream):
            data = stream(data)  # type: ignore[assignment]
        self._since = self._engine.now()
        self._wire.send(self._number, data)

    def answer_ends(self, trailers: tuple[Field, ...]) -> None:
        if self._flow.response is None:
            return
        self._flow.response.data.timestamp_end = time()
        if not self._engine.hooks.tell("response", self._flow):
            self._abort()
            return
        if not self._answered:
            self._answered = True
            self._wire.head(self._number, response_headers(self._flow.response, length=None), end=not trailers)
            if not trailers and not self._ended:
                self._wire.reset(self._number, ErrorCodes.NO_ERROR)
        self._wire.finish(self._number, trailers, reset=None if self._ended else ErrorCodes.NO_ERROR)
        self._close()

    def failed(self, error: Refused) -> None:
        passage, self._forward = self._passage, None
        if passage is None or self._over:
            return
        passage.failure = passage.failure or error
        self._flow.error = mitmproxy_flow.Error(error.detail)
        self._engine.hooks.tell("error", self._flow)
        if not self._answered and passage.answer is not None:
            self._answer_ours(passage.answer)
        else:
            self._abort()

    def _answer_ours(self, response: http.Response) -> None:
        content = b"" if self._flow.request.data.method == b"HEAD" else response.data.content or b""
        self._answered = True
        self._wire.head(self._number, response_headers(response, length=len(response.data.content or b"")))
        self._wire.send(self._number, content)
        self._wire.finish(self._number, reset=None if self._ended else ErrorCodes.NO_ERROR)
        self._close()

    def _abort(self) -> None:
        self._wire.reset(self._number, ErrorCodes.INTERNAL_ERROR)
        self._close()

    def _close(self) -> None:
        self._over = True
        self._taken()
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.drop()
        forget(self._flow)
        self._carrier.ended(self._number)

    # --- time

    def _expect(self, phase: Phase) -> None:
        self._phase, self._since = phase, self._engine.now()

    def tick(self, now: float) -> None:
        patience = self._engine.patience.of(self._phase)
        since = self._since
        if self._phase not in FROM_START and self._forward is not None:
            since = max(since, self._forward.last_byte)
        late = patience is not None and now - since > patience
        if self._sent_on and now - self._sent_on > self._engine.patience.request:
            late = True
        if not late or self._over:
            return
        self._engine.log.info("stream.timeout", phase=self._phase.value)
        if self._forward is not None and self._phase in (Phase.DIAL, Phase.ANSWER):
            what = "did not accept the connection" if self._phase is Phase.DIAL else "was silent for too long"
            self._forward.expire(UpstreamTimeout(f"the destination {what}"))
        else:
            self._wire.reset(self._number, ErrorCodes.CANCEL)
            self.got_reset(ErrorCodes.CANCEL)
