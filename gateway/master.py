"""mitmproxy's master with locked options and the four addons that carry traffic: the guard, the limits in time, the choice of
layers, and TLS. No script is ever loaded (TRAPS 19)."""

import asyncio
import ssl
from collections.abc import Callable
from socket import socket
from typing import Any

from mitmproxy import ctx, options
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.proxy import layer, mode_specs
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_servers import AsyncioServerInstance

from addons.guard import Firewall
from gateway.connection import GatewayConnection, Handlers, handlers_of
from gateway.layers import GatewayHttp, NextLayer
from gateway.timeouts import Timeouts
from gateway.tls import MemoryTls

BACKLOG = 2048
LOCKED: dict[str, Any] = {
    "mode": ["gateway"],
    "connection_strategy": "lazy",  # TRAPS 8
    "http2": False,  # TRAPS 20, 21
    "http3": False,
    "rawtcp": False,  # TRAPS 7
    "websocket": True,
    "upstream_cert": False,
    "add_upstream_certs_to_client_chain": False,
    "validate_inbound_headers": True,
    "stream_large_bodies": None,  # TRAPS 2
    "body_size_limit": None,
    "ssl_insecure": False,
    "tcp_timeout": 10 * 365 * 86_400,  # the limits in time are ours
}


class GatewayMode(mode_specs.RegularMode):
    description = "Agent Action Firewall"


class GatewayInstance(AsyncioServerInstance[GatewayMode]):
    """Serves on a socket that was bound before. mitmproxy builds instances by itself, so what they need is on the class."""

    listening: socket
    tls: ssl.SSLContext | None = None
    timeouts: Timeouts
    handlers: Handlers

    def make_top_layer(self, context: Context) -> layer.Layer:
        return GatewayHttp(context, HTTPMode.regular, self.timeouts)

    async def handle_stream(self, reader: Any, writer: Any = None) -> None:
        handler = GatewayConnection(ctx.master, reader, writer, ctx.options, self.mode)  # type: ignore[no-untyped-call]
        handler.layer = self.make_top_layer(handler.layer.context)
        handler.handlers = self.handlers
        with self.manager.register_connection(handler.layer.context.client.id, handler):
            await handler.handle_client()

    async def listen(self, host: str, port: int) -> list[Any]:
        extra: dict[str, Any] = {} if self.tls is None else {"ssl": self.tls, "ssl_handshake_timeout": 10}
        return [await asyncio.start_server(self.handle_stream, sock=self.listening, backlog=BACKLOG, **extra)]


class GatewayMaster(Master):
    """`firewall` is called with a function that closes a client connection, and returns the guard."""

    def __init__(
        self,
        *,
        firewall: Callable[[Callable[[str], None]], Firewall],
        timeouts: Timeouts,
        tls: MemoryTls,
        listening: socket,
        listener_tls: ssl.SSLContext | None,
        upstream_roots: str,
    ) -> None:
        super().__init__(options.Options())
        self._legacy_log_events.uninstall()  # it would make a hook of every log record
        self.proxy = Proxyserver()
        self.timeouts = timeouts
        self.guard = firewall(self.close_client)
        GatewayInstance.listening, GatewayInstance.tls, GatewayInstance.timeouts = listening, listener_tls, timeouts
        addons = (self.proxy, self.guard, timeouts, NextLayer(timeouts), tls)
        self.addons.add(*addons)
        GatewayInstance.handlers = handlers_of(addons)
        self.options.update(**LOCKED, ssl_verify_upstream_trusted_ca=upstream_roots)
        self.ready = asyncio.Event()

    async def running(self) -> None:
        servers = list(self.proxy.servers)
        if not servers or not all(server.is_running for server in servers):
            raise RuntimeError("the proxy does not listen: " + "; ".join(str(server.last_exception) for server in servers))
        await super().running()
        self.ready.set()

    def close_client(self, client_id: str) -> None:
        handler = self.proxy.connections.get(client_id)
        if handler is not None and (io := handler.transports.get(handler.client)) is not None and io.handler is not None:
            io.handler.cancel("closed by the gateway")

    async def drain(self, seconds: float) -> int:
        """Takes no more connections, lets what is under way finish for at most `seconds`, and stops. Returns how many
        connections were cut."""
        self.guard.drain()
        for server in self.proxy.servers:
            if server.is_running:
                await server.stop()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.proxy.connections and loop.time() < end:
            for client_id in self.timeouts.idle():
                self.close_client(client_id)
            await asyncio.sleep(0.05)
        cut = len(self.proxy.connections)
        for connection in list(self.proxy.connections):
            self.close_client(str(connection))
        while self.proxy.connections and loop.time() < end + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self.shutdown()  # type: ignore[no-untyped-call]
        return cut
