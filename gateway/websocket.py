"""A WebSocket, once its request was released and its destination agreed (RFC 6455), on mitmproxy's layer."""

from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.websocket import WebsocketEndHook, WebsocketLayer
from mitmproxy.websocket import WebSocketData
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection
from wsproto.frame_protocol import CloseReason

from gateway.bridge import Bridge
from gateway.keepalive import keep_alive
from gateway.message import upgraded_head
from gateway.pool import Upstream
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session

MESSAGE_LIMIT = 16 << 20
FRAGMENTS_LIMIT = 16 << 10
"""What one message may grow to before it is whole: the layer keeps it until then."""


class Bounded(WebsocketLayer):
    """mitmproxy's layer, which ends with a message that is too large."""

    def relay_messages(self, event: events.Event) -> layer.CommandGenerator[None]:
        yield from super().relay_messages(event)
        for side in (self.client_ws, self.server_ws):
            if len(side.frame_buf) > FRAGMENTS_LIMIT or sum(map(len, side.frame_buf)) > MESSAGE_LIMIT:
                side.frame_buf = [b""]
                yield from self._too_large()
                return

    def _too_large(self) -> layer.CommandGenerator[None]:
        for side in (self.server_ws, self.client_ws):
            if side.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield side.send2(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
            yield commands.CloseConnection(side.conn)
        yield WebsocketEndHook(self.flow)
        self.flow.live = False
        self._handle_event = self.done


def begin(session: "Session", flow: http.HTTPFlow, upstream: Upstream, begun: bytes, ahead: bytes) -> None:
    """`begun`: what the destination has sent after its 101; `ahead`: what the client has after its request."""
    assert flow.response is not None
    flow.websocket = WebSocketData()
    if not session.engine.hooks.tell("response", flow):
        upstream.link.abort()
        session.link.abort()
        return
    session.link.write(upgraded_head(flow.response))
    session.expect(Phase.OPEN)
    keep_alive(session.link, upstream.link)
    context = Context(session.client, session.engine.options)
    context.server = upstream.server
    Bridge(session, Bounded(context, flow)).begin(ahead, (upstream.server, upstream.link, begun))
