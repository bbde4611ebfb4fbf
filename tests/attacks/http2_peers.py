"""The two ends of an attack over HTTP/2: an agent that sends any frame, and a destination that does."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from hpack import Decoder

from tests.attacks.frames import (
    ACK,
    DATA,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    FrameData,
    Reader,
    block,
    encoded,
    frame,
)
from tests.attacks.server import Server


class Agent2:
    """`heads` by stream, the last of each; `interims` counts the others."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = Reader(preface=False)
        self._decoder = Decoder()
        self._decoder.max_allowed_table_size = (1 << 32) - 1  # which some attacks allow
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goodbye: int | None = None
        self.interims = 0
        self.everything = ""
        """All fields and bodies, in lower case."""

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def step(self) -> bool:
        """False when the connection has ended."""
        data = b""
        with suppress(ConnectionError, ssl.SSLError):
            data = await self._reader.read(65536)
        for one in self._frames.feed(data):
            match one.kind:
                case 1:
                    self._head(one.stream, _fields(self._decoder, one.payload))
                case 0:
                    self.bodies[one.stream] = self.bodies.get(one.stream, b"") + one.payload
                    self.everything += one.payload.decode("latin-1").lower()
                case 3:
                    self.resets[one.stream] = int.from_bytes(one.payload)
                case 7:
                    self.goodbye = int.from_bytes(one.payload[4:8])
            if one.kind in (DATA, HEADERS) and one.flags & END_STREAM:
                self.ended.add(one.stream)
        return data != b""

    def _head(self, stream: int, fields: dict[str, str]) -> None:
        self.everything += "".join(f"{name}: {value}\n" for name, value in fields.items()).lower()
        if ":status" not in fields:
            self.trailers[stream] = fields
            return
        self.heads[stream] = fields
        self.interims += fields[":status"].startswith("1")

    async def until(self, fact: Callable[[], object]) -> bool:
        """False when the connection ended before."""
        while not fact():
            if not await self.step():
                return False
        return True

    async def over(self, stream: int) -> bool:
        return await self.until(lambda: stream in self.ended or stream in self.resets)

    async def get(self, stream: int, path: str) -> None:
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", path)]
        await self.send(frame(HEADERS, END_STREAM | 4, stream, block(fields)))

    def code(self, stream: int) -> tuple[str, str]:
        """Which way we refused it, and what we said to it."""
        problem = json.loads(self.bodies[stream])
        return str(problem["type"]).removeprefix("urn:aaf:problem:"), str(problem["detail"])


class Destination2(Server):
    """`hostile` is what it sends to the first request, `first` to the first connection. `requests`: what it got, `METHOD path`;
    `came_on`: which connection each came on. `resets`: streams of the first connection that the other side ended."""

    def __init__(self, hostile: Sequence[FrameData] = (), first: Sequence[FrameData] = (), *, hangs_up: bool = False) -> None:
        super().__init__()
        self._hostile, self._first, self._hangs_up = hostile, first, hangs_up
        self.requests: list[str] = []
        self.came_on: list[int] = []
        self.resets: list[int] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None) -> AsyncIterator["Destination2"]:
        async with self._listening(("127.0.0.1", 0, tls)) as (self.port,):
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        frames, decoder = Reader(preface=True), Decoder()
        writer.write(frame(SETTINGS, 0, 0, b""))
        if number == 1:
            writer.write(b"".join(encoded(self._first, {})))
        while data := await reader.read(65536):
            for one in frames.feed(data):
                if one.kind == SETTINGS and not one.flags & ACK:
                    writer.write(frame(SETTINGS, ACK, 0, b""))
                elif one.kind == RST_STREAM:
                    self.resets += [one.stream] * (number == 1)
                elif one.kind == HEADERS:
                    fields = _fields(decoder, one.payload)
                    self.requests.append(f"{fields[':method']} {fields[':path']}")
                    self.came_on.append(number)
                    if len(self.requests) == 1:
                        writer.write(b"".join(encoded(self._hostile, {})))
                        if self._hangs_up:
                            return
                    else:
                        writer.write(good_answer(one.stream, fields[":path"]))
            await writer.drain()


def _fields(decoder: Decoder, payload: bytes) -> dict[str, str]:
    return {str(name): str(value) for name, value in decoder.decode(payload)}


def good_answer(stream: int, path: str) -> bytes:
    body = f"reached {path}".encode()
    return frame(HEADERS, 4, stream, block([(":status", "200")])) + frame(DATA, END_STREAM, stream, body)
