import asyncio
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from benchmarks.bulk_http2 import Http2Stream

FIELDS = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"up.test"), (b":path", b"/")]


class Server(asyncio.Protocol):
    """Counts a body, or refuses it after its first bytes; then answers with what it counted."""

    def __init__(self, *, refuses: bool) -> None:
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._refuses, self._got = refuses, 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for event in self._h2.receive_data(data):
            match event:
                case events.DataReceived() if self._refuses:
                    if not self._got:
                        self._h2.send_headers(1, [(b":status", b"413")], end_stream=True)
                    self._got += 1
                case events.DataReceived():
                    self._got += len(event.data or b"")
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                case events.StreamEnded():
                    self._h2.send_headers(1, [(b":status", b"200")])
                    self._h2.send_data(1, b"%d" % self._got, end_stream=True)
        self._transport.write(self._h2.data_to_send())


async def send(size: int, *, refuses: bool) -> Http2Stream:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(refuses=refuses), "127.0.0.1", 0)
    async with server:
        stream = Http2Stream(FIELDS, size)
        transport, _ = await loop.create_connection(lambda: stream, *server.sockets[0].getsockname())
        stream.begin(transport)
        await stream.done
        stream.close()
    return stream


async def test_a_body_goes_as_the_windows_allow() -> None:
    stream = await send(3_000_000, refuses=False)
    assert (stream.status, stream.left, stream.got) == (200, 0, len("3000000"))


async def test_what_is_refused_is_sent_no_further() -> None:
    stream = await send(3_000_000, refuses=True)
    assert (stream.status, stream.left > 2_000_000) == (413, True)
