"""The agent's side of bodies of any size over HTTP/2: made as the windows allow, forgotten as they come."""

import asyncio
import ssl
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from benchmarks.bulk import BLOCK
from benchmarks.client import Proxy, connect


class Http2Stream(asyncio.Protocol):
    """One request with a body of `size` bytes. `status`: of the answer; `done`: the stream is over, on this side too or refused."""

    def __init__(self, fields: list[tuple[bytes, bytes]], size: int) -> None:
        self.got = self.status = 0
        self.left = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._h2 = H2Connection(H2Configuration(header_encoding=None, validate_inbound_headers=False))
        self._fields = fields
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._over = False

    def begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        self._h2.send_headers(1, self._fields, end_stream=not self.left)
        self._pump()

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            match event:
                case events.ResponseReceived():
                    self.status = int(dict(event.headers)[b":status"])
                case events.DataReceived():
                    self.got += len(event.data or b"")
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                case events.StreamEnded() | events.StreamReset() | events.ConnectionTerminated():
                    self._over = True
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._finish()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()

    def pause(self) -> None:
        """Reads no more, and opens no window."""
        assert self._transport is not None
        self._transport.pause_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _pump(self) -> None:
        assert self._transport is not None
        while self.left and not self._paused and not self._over:
            room = min(self.left, self._h2.local_flow_control_window(1), self._h2.max_outbound_frame_size, len(BLOCK))
            if room <= 0:
                break
            self.left -= room
            self._h2.send_data(1, BLOCK[:room], end_stream=not self.left)
            self._transport.write(self._h2.data_to_send())
        self._transport.write(self._h2.data_to_send())
        self._finish()

    def _finish(self) -> None:
        if self._over and not self.done.done():
            self.done.set_result(None)


async def open_stream(proxy: Proxy, host: str, port: int, tls: ssl.SSLContext, path: str, size: int, method: str) -> Http2Stream:
    """Through a CONNECT to host:port, with TLS inside it that offers HTTP/2 alone. The request says nothing of its length."""
    plain = await connect(proxy, host, port, None, tunnel=True)
    assert plain.transport is not None
    where = f"{host}:{port}".encode()
    fields = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", where), (b":path", path.encode())]
    stream = Http2Stream(fields, size)
    secured = await asyncio.get_running_loop().start_tls(plain.transport, stream, tls, server_hostname=host)
    stream.begin(cast(asyncio.Transport, secured))
    return stream
