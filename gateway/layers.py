"""Which of mitmproxy's layers carry what, and the little that they lack.

An agent's connection is HTTP/1; a CONNECT in it leads to TLS, or to plain HTTP on port 80, and inside that to HTTP/1 again.
There is no other layer: raw bytes, DNS and unknown upgrades find nothing that would carry them (TRAPS 7, 22).
"""

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, HttpLayer, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseEndOfMessage, ResponseHeaders, ResponseProtocolError
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.tls import ClientTLSLayer

from addons.passage import passage_of
from gateway.http1 import StrictHttp1
from gateway.timeouts import Timeouts

_TLS_RECORD = b"\x16\x03"
_PLAIN_PORT = 80


class GatewayHttp(HttpLayer):
    def __init__(self, context: Context, mode: HTTPMode, timeouts: Timeouts) -> None:
        super().__init__(context, mode)
        self._timeouts = timeouts

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            inside = self.mode is HTTPMode.transparent
            self.connections[self.context.client] = StrictHttp1(self.context.fork(), inside=inside, timeouts=self._timeouts)
        yield from super()._handle_event(event)

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        stream = self.streams[stream_id] = GatewayStream(self.context.fork(), stream_id)
        yield from self.event_to_child(stream, events.Start())


class GatewayStream(HttpStream):
    """Gives our own answers at once, without reading the rest of the body (TRAPS 15), and bounds what a held body may take."""

    _answered = False

    def check_killed(self, emit_error_hook: bool) -> CommandGenerator[bool]:
        if (yield from super().check_killed(emit_error_hook)):
            return True
        return (yield from self._answer())

    def check_invalid(self, request: bool) -> CommandGenerator[bool]:
        judging, reply = super().check_invalid(request), None
        while True:
            try:
                command = judging.send(reply)
            except StopIteration as stop:
                return bool(stop.value)
            if isinstance(command, SendHttp) and isinstance(command.event, ResponseProtocolError):
                reply = None
                if (yield from self._answer()):
                    continue
            reply = yield command

    def check_body_size(self, request: bool) -> CommandGenerator[bool]:
        passage = passage_of(self.flow)
        if not request or not self.request_body_buf or (passage and len(self.request_body_buf) <= passage.held_bytes):
            return False
        self.request_body_buf.clear()
        if passage is not None:
            passage.overflow = True
        yield HttpRequestHook(self.flow)
        yield from self._answer()
        return True

    def _answer(self) -> CommandGenerator[bool]:
        """Sends our answer, if there is one and it was not sent; whatever else comes for this request is swallowed."""
        passage = passage_of(self.flow)
        if self._answered or passage is None or passage.answer is None:
            return False
        self._answered = True
        response = passage.answer
        client = self._client()
        if not client.request_done:
            response.headers["Connection"] = "close"
        if self.flow.server_conn.connected and self.server_state == self.state_wait_for_response_headers:
            yield commands.CloseConnection(self.flow.server_conn)
        body = b"" if self.flow.request.method == "HEAD" else response.raw_content or b""
        yield SendHttp(ResponseHeaders(self.stream_id, response, not body), self.context.client)
        if body:
            yield SendHttp(ResponseData(self.stream_id, body), self.context.client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        self.flow.live = False
        self.client_state = self.server_state = self.state_errored
        yield DropStream(self.stream_id)
        return True

    def _client(self) -> StrictHttp1:
        parent = self.context.layers[self.context.layers.index(self) - 1]
        if not isinstance(parent, GatewayHttp):
            raise AssertionError("a stream of ours in a layer that is not")
        connection = parent.connections[self.context.client]
        if not isinstance(connection, StrictHttp1):
            raise AssertionError("an agent's connection that is not HTTP/1")
        return connection


class Closed(layer.Layer):
    """Ends the connection. Stands where mitmproxy would have put a tunnel."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class NextLayer:
    """The addon that mitmproxy asks what to do with the first bytes of a tunnel."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        context, data = nextlayer.context, nextlayer.data_client()
        if not data:
            return
        if any(isinstance(above, ClientTLSLayer) for above in context.layers):
            nextlayer.layer = GatewayHttp(context, HTTPMode.transparent, self._timeouts)
        elif data[:2] == _TLS_RECORD[: len(data[:2])]:
            context.server.tls = True
            nextlayer.layer = ClientTLSLayer(context)
        elif context.server.address is not None and context.server.address[1] == _PLAIN_PORT:
            nextlayer.layer = GatewayHttp(context, HTTPMode.transparent, self._timeouts)
        else:
            nextlayer.layer = Closed(context)
