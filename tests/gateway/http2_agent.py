"""An HTTP/2 client over one tunnel, frame by frame."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError

from tests.gateway.rig import Rig


class Agent:
    """An HTTP/2 client over one tunnel, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(
            H2Configuration(header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.terminated: int | None = None
        self.reads = True
        self.gives_windows = True

    async def begin(self) -> None:
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def request(self, method: str = "GET", path: str = "/a", *, end: bool = True, **more: str) -> int:
        number = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "https"), (":authority", "up.test"), (":path", path)]
        fields += [(name.replace("_", "-"), value) for name, value in more.items()]
        return await self.raw(fields, number=number, end=end)

    async def raw(self, fields: list[tuple[str, str]], *, number: int | None = None, end: bool = True) -> int:
        number = number or self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, fields, end_stream=end)
        await self.flush()
        return number

    async def data(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Sends as the windows allow."""
        while True:
            if number in self.resets:
                raise StreamClosedError(number)
            size = min(len(data), self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if size or not data:
                self.h2.send_data(number, data[:size], end_stream=end and size == len(data))
                data = data[size:]
                await self.flush()
            if not data:
                return
            if not size:
                await self.step()

    async def step(self) -> bool:
        """What came next is read. False when the connection has ended."""
        data = await self.reader.read(65536)
        if not data:
            return False
        for event in self.h2.receive_data(data):
            number = getattr(event, "stream_id", 0) or 0
            match event:
                case events.ResponseReceived() | events.InformationalResponseReceived():
                    self.heads[number] = dict(event.headers or ())  # type: ignore[arg-type]
                case events.DataReceived():
                    self.bodies.setdefault(number, bytearray()).extend(event.data or b"")
                    if self.gives_windows:
                        self.h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
                case events.TrailersReceived():
                    self.trailers[number] = dict(event.headers or ())  # type: ignore[arg-type]
                case events.StreamEnded():
                    self.ended.add(number)
                case events.StreamReset():
                    self.resets[number] = int(event.error_code or 0)
                case events.ConnectionTerminated():
                    self.terminated = int(event.error_code or 0)
        with suppress(ConnectionError):  # the other side has ended; what it sent is still to be read
            await self.flush()
        return True

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not fact():
                assert await self.step(), "the connection ended"

    def got(self, number: int, end: bytes) -> bool:
        return self.bodies.get(number, bytearray()).endswith(end)

    async def answer(self, number: int) -> tuple[int, bytes]:
        await self.until(lambda: number in self.ended)
        return int(self.heads[number][":status"]), bytes(self.bodies.get(number, b""))

    async def code(self, number: int) -> tuple[int, str]:
        status, body = await self.answer(number)
        return status, str(json.loads(body)["type"]).removeprefix("urn:aaf:problem:")


async def agent(rig: Rig, host: str = "up.test", port: int = 443) -> Agent:
    wire = await rig.tunnel(host, port, alpn=["h2"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    made = Agent(wire.reader, wire.writer)
    await made.begin()
    return made
