"""A lean HTTP/2 client through a proxy's tunnel, one request at a time, for the load."""

import asyncio
import ssl
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from benchmarks.client import Broken, Proxy, connect


class Http2Connection(asyncio.Protocol):
    """One request after another on a connection that is kept."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._h2 = H2Connection(H2Configuration(header_encoding=None, validate_inbound_headers=False))
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._status = 0
        self._body = bytearray()

    def begin(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(1 << 24)
        transport.write(self._h2.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken())

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        for event in self._h2.receive_data(data):
            match event:
                case events.ResponseReceived():
                    self._status = int(dict(event.headers)[b":status"])
                case events.DataReceived():
                    self._body += event.data or b""
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                case events.StreamEnded() if self._waiting is not None and not self._waiting.done():
                    self._waiting.set_result((self._status, bytes(self._body)))
                case events.StreamReset() | events.ConnectionTerminated() if self._waiting is not None and not self._waiting.done():
                    self._waiting.set_exception(Broken())
        self.transport.write(self._h2.data_to_send())

    async def ask(self, method: str, authority: str, path: str, body: bytes) -> tuple[int, bytes]:
        assert self.transport is not None
        self._body.clear()
        self._waiting = asyncio.get_running_loop().create_future()
        number = self._h2.get_next_available_stream_id()
        fields = [
            (b":method", method.encode()), (b":scheme", b"https"), (b":authority", authority.encode()), (b":path", path.encode()),
            (b"accept", b"*/*"), (b"user-agent", b"bench"),
        ]  # fmt: skip
        if body:
            fields += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        self._h2.send_headers(number, fields, end_stream=not body)
        if body:
            self._h2.send_data(number, body, end_stream=True)
        self.transport.write(self._h2.data_to_send())
        return await self._waiting

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


async def connect_http2(proxy: Proxy, host: str, port: int, tls: ssl.SSLContext) -> Http2Connection:
    """Through a CONNECT to host:port, with TLS inside it that offers HTTP/2 alone."""
    plain = await connect(proxy, host, port, None, tunnel=True)
    assert plain.transport is not None
    connection = Http2Connection()
    loop = asyncio.get_running_loop()
    secured = await loop.start_tls(plain.transport, connection, tls, server_hostname=host)
    connection.begin(cast(asyncio.Transport, secured))
    return connection
