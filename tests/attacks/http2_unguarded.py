"""An HTTP/2 proxy without a guard: it judges the `:path` of what it takes for requests, and passes on the rest as it came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hpack import Decoder

from tests.attacks.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    Frame,
    Reader,
    block,
    frame,
)
from tests.attacks.server import Server
from tests.gateway.rig import Wire


class Naive2(Server):
    """Agents come in clear. `downgrades`: the destination at `port` speaks HTTP/1, else HTTP/2. `judged`: `METHOD path`."""

    def __init__(self, port: int, *, downgrades: bool) -> None:
        super().__init__()
        self._to, self._downgrades = port, downgrades
        self.judged: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Naive2"]:
        async with self._listening(("127.0.0.1", 0, None)) as (self.port,):
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        upstream = Wire(*await asyncio.open_connection("127.0.0.1", self._to))
        self._writers.append(upstream.writer)
        await (self._downgrade(reader, writer, upstream) if self._downgrades else self._relay(reader, writer, upstream))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: Wire) -> None:
        """A denied path ends it; else each byte passes."""
        decoder, frames = Decoder(), Reader(preface=True)
        back = asyncio.create_task(_pump(upstream.reader, writer))
        self._tasks.add(back)
        while data := await reader.read(65536):
            for one in frames.feed(data):
                if one.kind == HEADERS and self._denies(decoder.decode(one.payload)):
                    return
            await upstream.send(data)

    async def _downgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: Wire) -> None:
        writer.write(frame(SETTINGS, 0, 0, b""))
        decoder, frames, begun, open_ones = Decoder(), Reader(preface=False), b"", set[int]()
        first, turn = True, asyncio.Lock()
        while data := await reader.read(65536):
            data = data.removeprefix(PREFACE) if first else data
            first = False
            for one in frames.feed(data):
                if one.kind in (HEADERS, CONTINUATION):
                    begun += one.payload
                    if one.flags & END_HEADERS or one.kind == CONTINUATION:
                        fields, begun = decoder.decode(begun), b""
                        if one.stream not in open_ones and self._denies(fields):
                            return
                        upstream.writer.write(_lines(fields, trailers=one.stream in open_ones))
                        open_ones.add(one.stream)
                elif one.kind == DATA and one.stream in open_ones:
                    upstream.writer.write(one.payload)
                if _ends(one) and one.stream in open_ones:
                    self._tasks.add(asyncio.create_task(_answer(upstream, writer, one.stream, turn)))

    def _denies(self, fields: object) -> bool:
        found: dict[str, str] = {}
        for name, value in fields:  # type: ignore[attr-defined]
            found.setdefault(str(name), str(value))
        self.judged.append(f"{found.get(':method')} {found.get(':path')}")
        return found.get(":path", "").startswith("/denied")


def _ends(one: Frame) -> bool:
    return one.kind in (HEADERS, CONTINUATION, DATA) and bool(one.flags & END_STREAM)


def _lines(fields: object, *, trailers: bool) -> bytes:
    """Of a head in HTTP/1; what comes after four pseudo-header fields is a field."""
    rest = [(str(name), str(value)) for name, value in fields]  # type: ignore[attr-defined]
    if trailers:
        return "".join(f"{name}: {value}\r\n" for name, value in rest).encode("latin-1")
    front = dict(rest[:4])
    first = f"{front.get(':method')} {front.get(':path')} HTTP/1.1\r\nHost: {front.get(':authority')}\r\n"
    return (first + "".join(f"{name}: {value}\r\n" for name, value in rest[4:]) + "\r\n").encode("latin-1")


async def _answer(upstream: Wire, writer: asyncio.StreamWriter, stream: int, turn: asyncio.Lock) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        async with turn:
            answer = await upstream.answer()
        writer.write(frame(HEADERS, END_HEADERS, stream, block([(":status", str(answer.status))])))
        writer.write(frame(DATA, END_STREAM, stream, answer.body))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.CancelledError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
