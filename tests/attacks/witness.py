"""A destination that keeps every byte, and reads requests as leniently as the worst servers do."""

import asyncio
import posixpath
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from tests.attacks.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request as somebody lenient reads it. `size`: bytes that it takes, head and body."""

    method: str
    target: str
    fields: dict[str, str]
    size: int


def read_message(data: bytes, *, length_first: bool) -> Message | None:
    """The first request in `data`; None while it is not whole. Lines end at LF, numbers are what `int` takes, the last of two
    fields wins. `length_first`: Content-Length wins over Transfer-Encoding."""
    ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    if not ends:
        return None
    start = min(ends)
    first, *lines = data[:start].decode("latin-1").split("\n")
    method, _, rest = first.strip().partition(" ")
    target = rest.strip().rpartition(" ")[0] or rest.strip()
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    chunked = "chunked" in fields.get("transfer-encoding", "").lower()
    length = fields.get("content-length")
    if length is not None and (length_first or not chunked):
        end: int | None = start + _number(length.split(",")[0], 10)
    else:
        end = _chunked(data, start) if chunked else start
    whole = end is not None and end <= len(data)
    return Message(method=method, target=target, fields=fields, size=end or 0) if whole else None


def _chunked(data: bytes, at: int) -> int | None:
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            return None
        size = _number(data[at:end].split(b";")[0].decode("latin-1"), 16)
        at = end + 1
        if size <= 0:
            break
        at += size
        at += 2 if data[at : at + 2] == b"\r\n" else 1
    while (end := data.find(b"\n", at)) >= 0:
        line, at = data[at:end].strip(), end + 1
        if not line:
            return at
    return None


def _number(text: str, base: int) -> int:
    try:
        return int(text.strip(), base)
    except ValueError:
        return 0


class Witness(Server):
    """`requests`: what it has read, `METHOD target`. `places`: the paths that those are to a server which decodes and tidies first.
    `came_on`: which connection each came on. `hostile`: what it answers to the first request instead, and then `hangs_up`."""

    def __init__(self, *, length_first: bool = False, hostile: Sequence[bytes] = (), hangs_up: bool = False) -> None:
        super().__init__()
        self.received = bytearray()
        self.requests: list[str] = []
        self.places: list[str] = []
        self.came_on: list[int] = []
        self.port = self.tls_port = 0
        self._length_first = length_first
        self._hostile = tuple(hostile)
        self._hangs_up = hangs_up

    @asynccontextmanager
    async def serving(
        self, tls: ssl.SSLContext | None = None, *, address: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator["Witness"]:
        places = [(address, port, None), *([] if tls is None else [(address, 0, tls)])]
        async with self._listening(*places) as ports:
            self.port, self.tls_port = ports[0], ports[-1] if tls is not None else 0
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        buffer = b""
        while data := await reader.read(65536):
            self.received += data
            buffer += data
            while (message := read_message(buffer, length_first=self._length_first)) is not None:
                buffer = buffer[message.size :]
                self.requests.append(f"{message.method} {message.target}")
                self.places.append(posixpath.normpath(unquote(unquote(message.target)).replace("\\", "/")))
                self.came_on.append(number)
                if self._hostile and len(self.requests) == 1:
                    writer.write(b"".join(self._hostile))
                    await writer.drain()
                    if self._hangs_up:
                        return
                    continue
                body = f"reached {message.target}".encode("latin-1", "replace")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                writer.write(b"" if message.method == "HEAD" else body)
                await writer.drain()
