"""A WebSocket, once its request was released and its destination agreed (RFC 6455), on mitmproxy's layer."""

from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.websocket import WebsocketLayer
from mitmproxy.websocket import WebSocketData

from gateway.bridge import Bridge
from gateway.message import upgraded_head
from gateway.pool import Upstream
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session


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
    context = Context(session.client, session.engine.options)
    context.server = upstream.server
    Bridge(session, WebsocketLayer(context, flow)).begin(ahead, (upstream.server, upstream.link, begun))
