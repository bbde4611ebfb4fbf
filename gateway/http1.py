"""HTTP/1 towards the agent on mitmproxy's own layer, with a strict head and our answers in place of its HTML pages."""

from typing import Final

from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestEndOfMessage,
    RequestHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server, make_body_reader

from addons.passage import Condemned
from firewall.errors import Malformed, Refused
from gateway.head import HEAD_LIMIT, end_of_head, split
from gateway.timeouts import Phase, Timeouts

PIPELINE_LIMIT: Final = HEAD_LIMIT
"""How many bytes may arrive after a request that is not answered yet."""


class StrictHttp1(Http1Server):
    """`inside`: whether this connection came through a CONNECT. `timeouts` is told what is being waited for."""

    def __init__(self, context: Context, *, inside: bool, timeouts: Timeouts) -> None:
        super().__init__(context)
        self._inside = inside
        self._timeouts = timeouts
        self._client = context.client.id

    def start(self, event: events.Event) -> CommandGenerator[None]:
        self._timeouts.enter(self._client, Phase.HEAD)
        yield from super().start(event)

    state = start

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if not isinstance(event, events.DataReceived):
            yield commands.CloseConnection(self.conn)
            return
        if len(self.buf):
            self._timeouts.begin_head(self._client)
        buffer = bytes(self.buf)
        try:
            end = end_of_head(buffer)
            if end is None:
                return
            lines = split(buffer[:end], inside=self._inside)
            self.buf.maybe_extract_at_most(end)
            try:
                self.request = http1.read_request_head(lines)
                size = http1.expected_http_body_size(self.request)
            except ValueError as error:
                raise Malformed(str(error)) from None
        except Refused as error:
            yield from self._condemn(error)
            return
        self._timeouts.enter(self._client, Phase.JUDGED if size == 0 else Phase.BODY)
        yield ReceiveHttp(RequestHeaders(self.stream_id, self.request, size == 0))
        self.body_reader = make_body_reader(size)
        self.state = self.read_body  # type: ignore[method-assign]
        yield from self.state(event)

    def _condemn(self, error: Refused) -> CommandGenerator[None]:
        self.buf.maybe_extract_at_most(len(self.buf))
        host, port = (self.context.server.address or ("unknown.invalid", 80))[:2] if self._inside else ("unknown.invalid", 80)
        scheme = b"https" if self._inside and self.context.server.tls else b"http"
        request = Condemned(host, port, b"GET", scheme, b"", b"/", b"HTTP/1.1", http.Headers(), b"", None, 0.0, 0.0)
        request.headers["Connection"] = "close"
        request.refusal = error
        self.request = request
        self._timeouts.enter(self._client, Phase.JUDGED)
        yield ReceiveHttp(RequestHeaders(self.stream_id, request, True))
        yield ReceiveHttp(RequestEndOfMessage(self.stream_id))
        yield from self.mark_done(request=True)

    def wait(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.DataReceived) and len(self.buf) > PIPELINE_LIMIT:
            yield commands.CloseConnection(self.conn)
            return
        yield from super().wait(event)

    def mark_done(self, *, request: bool = False, response: bool = False) -> CommandGenerator[None]:
        if request:
            self._timeouts.body_done(self._client)
        if response:
            self._timeouts.enter(self._client, Phase.IDLE if self.request_done else Phase.LINGER)
        connect = self.request is not None and self.request.method == "CONNECT"
        yield from super().mark_done(request=request, response=response)
        if self.state == self.passthrough and response:
            self._timeouts.enter(self._client, Phase.HEAD if connect else Phase.ANSWER)

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, ResponseProtocolError) and not self.response:
            # Whatever answer was due, the stream has sent it (gateway.layers); what is left is to end the connection.
            yield commands.CloseConnection(self.conn)
            return
        yield from super().send(event)
