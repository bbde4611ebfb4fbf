"""The destination of the fuzzer: does with each request what its target says, keeps count of what came on which connection, and now
and then ends a connection that was used before, at any instant."""

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs, urlsplit

from tests.e2e.pki import Pair

EVIL = b"HTTP/1.1 200 OK\r\nX-Id: evil\r\nContent-Length: 4\r\n\r\nevil"
DOOMED = 0.12
"""How many of the connections end at some instant after their first answer."""
DOOM_SECONDS = 0.4
HEAD_LIMIT = 1 << 20


def pattern(unique: str, size: int) -> bytes:
    """A body that no other request could have."""
    piece = f"{unique};".encode()
    return (piece * (size // len(piece) + 1))[:size]


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection by RST."""
    with suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass(slots=True, eq=False, kw_only=True)
class Arrival:
    """One request. `index`: how many came before it on its connection. `spoke`: some of its answer was sent. `killed`: its
    connection was ended from here before its answer was complete."""

    connection: int
    index: int
    method: str
    spoke: bool = False
    killed: bool = False


class Ended(Exception):
    """This connection carries nothing more."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """`size`: of the answer's body. `rest`: bytes of the request's body."""

    unique: str
    method: str
    do: str
    size: int
    fields: dict[str, str]
    sent: int
    arrival: Arrival


class Visit:
    """One connection."""

    def __init__(self, site: "Site", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.site = site
        self.reader = reader
        self.writer = writer
        self.number = number
        self.chance = random.Random(f"{site.seed}/{number}")
        self.asked: Asked | None = None
        """The request that came last. Its answer may still be on its way when all of it is written."""
        self._agent = ""
        self._dead = False

    async def serve(self) -> None:
        doom: asyncio.TimerHandle | None = None
        try:
            for index in count():
                self.asked = asked = await self._request(index)
                await BEHAVIOURS[asked.do](self, asked)
                if index == 0 and self.chance.random() < DOOMED:
                    doom = asyncio.get_running_loop().call_later(self.chance.uniform(0, DOOM_SECONDS), self._die)
        except (Ended, EOFError, ConnectionError, ssl.SSLError):
            pass
        except Exception as error:
            self.site.faults.append(f"what came could not be read: {type(error).__name__}: {error}; after {self.asked}")
        finally:
            if doom is not None:
                doom.cancel()
            self.writer.close()

    def _die(self) -> None:
        self._dead = True
        if self.asked is not None:
            self.asked.arrival.killed = True
        if self.chance.random() < 0.5:
            reset(self.writer)
        else:
            self.writer.transport.abort()  # FIN, or RST where something came that was not read

    async def _request(self, index: int) -> Asked:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urlsplit(target)
        options = {name: values[0] for name, values in parse_qs(url.query).items()}
        unique = url.path.rpartition("/")[2]
        arrival = Arrival(connection=self.number, index=index, method=method, killed=self._dead)
        asked = Asked(
            unique=unique, method=method, do=options["do"], size=int(options["n"]), fields=fields, sent=int(options["b"]),
            arrival=arrival,
        )  # fmt: skip
        self.asked = asked
        self.site.came(asked)
        agent = unique.partition(".")[0] + "@" + fields.get("host", "")
        if index and agent != self._agent:
            self.site.faults.append(f"a connection of {self._agent} carried {unique} to {fields.get('host')}")
        self._agent = agent
        if "proxy-authorization" in fields:
            self.site.faults.append(f"{unique} came with the agent's credential")
        if asked.do not in EARLY:
            await self.body(asked)
        return asked

    async def body(self, asked: Asked) -> None:
        got = b""
        if asked.fields.get("transfer-encoding") == "chunked":
            while size := self._chunk(asked, await self.reader.readuntil(b"\r\n")):
                got += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            got = await self.reader.readexactly(int(asked.fields.get("content-length", 0)))
        if got != pattern(asked.unique, asked.sent):
            self.site.faults.append(f"{asked.unique} came with another body: {got[:80]!r}, {len(got)} of {asked.sent} bytes")

    def _chunk(self, asked: Asked, line: bytes) -> int:
        try:
            return int(line, 16)
        except ValueError:
            self.site.faults.append(f"{asked.unique} came with a chunk of {line[:80]!r} bytes")
            raise Ended from None

    # --- what behaviours are made of

    def send(self, data: bytes) -> None:
        assert self.asked is not None
        self.asked.arrival.spoke = self.asked.arrival.spoke or not self._dead
        self.writer.write(data)

    def head(self, asked: Asked, *fields: str, status: str = "200 OK", version: str = "1.1") -> None:
        lines = [f"HTTP/{version} {status}", f"X-Id: {asked.unique}", *fields]
        self.send("\r\n".join([*lines, "", ""]).encode())

    async def pieces(self, data: bytes, *, chunked: bool = False) -> None:
        """In odd pieces, with pauses."""
        while data:
            size = self.chance.choice((1, 7, 1000, 20_000, len(data)))
            piece, data = data[:size], data[size:]
            self.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await self.writer.drain()
            if self.chance.random() < 0.1:
                await asyncio.sleep(self.chance.random() * 0.02)

    def fin(self) -> None:
        self.writer.close()
        raise Ended

    def rst(self) -> None:
        reset(self.writer)
        raise Ended


def _body(asked: Asked) -> bytes:
    return b"" if asked.method == "HEAD" else pattern(asked.unique, asked.size)


async def length(visit: Visit, asked: Asked) -> None:
    visit.head(asked, f"Content-Length: {asked.size}")
    await visit.pieces(_body(asked))


async def chunked(visit: Visit, asked: Asked) -> None:
    visit.head(asked, "Transfer-Encoding: chunked")
    if asked.method != "HEAD":
        await visit.pieces(_body(asked), chunked=True)
        visit.send(b"0\r\n\r\n")


async def trailers(visit: Visit, asked: Asked) -> None:
    visit.head(asked, "Transfer-Encoding: chunked", "Trailer: X-Last")
    if asked.method != "HEAD":
        body = _body(asked)
        visit.send(b"%x;ext=1\r\n%b\r\n" % (len(body), body) if body else b"")
        visit.send(f"0\r\nX-Last: {asked.unique}\r\n\r\n".encode())


async def to_the_end(visit: Visit, asked: Asked) -> None:
    visit.head(asked)
    await visit.pieces(_body(asked))
    visit.fin()


async def old(visit: Visit, asked: Asked) -> None:
    visit.head(asked, version="1.0")
    await visit.pieces(_body(asked))
    visit.fin()


async def last(visit: Visit, asked: Asked) -> None:
    visit.head(asked, f"Content-Length: {asked.size}", "Connection: close")
    await visit.pieces(_body(asked))
    visit.fin()


async def leaves(visit: Visit, asked: Asked) -> None:
    """Answers well and goes without a word."""
    await length(visit, asked)
    await asyncio.sleep(visit.chance.random() * 0.01)
    visit.fin()


async def interim(visit: Visit, asked: Asked) -> None:
    for _ in range(visit.chance.randint(1, 3)):
        visit.head(asked, status=visit.chance.choice(("100 Continue", "102 Processing", "103 Early Hints")))
        await asyncio.sleep(visit.chance.choice((0, 0.005)))
    await length(visit, asked)


async def empty(visit: Visit, asked: Asked) -> None:
    visit.head(asked, status=visit.chance.choice(("204 No Content", "304 Not Modified")))


async def more(visit: Visit, asked: Asked) -> None:
    """Bytes that nobody asked for, behind the answer."""
    body, evil = _body(asked), EVIL * (5000 if asked.size < 10_000 else 1)
    visit.send(f"HTTP/1.1 200 OK\r\nX-Id: {asked.unique}\r\nContent-Length: {asked.size}\r\n\r\n".encode() + body + evil)
    await visit.writer.drain()


async def slow(visit: Visit, asked: Asked) -> None:
    await asyncio.sleep(visit.chance.random() * 0.2)
    await length(visit, asked)


async def early(visit: Visit, asked: Asked) -> None:
    """Answers before it has read the body, and reads that afterwards."""
    await length(visit, asked)
    await visit.body(asked)


async def early_last(visit: Visit, asked: Asked) -> None:
    """The same, but it does not wait for the body."""
    await last(visit, asked)


async def short(visit: Visit, asked: Asked) -> None:
    visit.head(asked, f"Content-Length: {asked.size + 5}")
    await visit.pieces(_body(asked))
    visit.fin()


async def cut_length(visit: Visit, asked: Asked) -> None:
    visit.head(asked, f"Content-Length: {asked.size + 5}")
    await visit.pieces(_body(asked))
    visit.rst()


async def cut_chunked(visit: Visit, asked: Asked) -> None:
    visit.head(asked, "Transfer-Encoding: chunked")
    await visit.pieces(_body(asked), chunked=True)
    visit.rst()


async def cut_to_the_end(visit: Visit, asked: Asked) -> None:
    visit.head(asked)
    await visit.pieces(_body(asked))
    await asyncio.sleep(0.05)  # what was written is on its way; the reset then says that it was not all
    visit.rst()


async def odd_chunk(visit: Visit, asked: Asked) -> None:
    visit.head(asked, "Transfer-Encoding: chunked")
    visit.send(visit.chance.choice((b"zz\r\nzz\r\n", b"-5\r\nhello\r\n", b"3\r\nabcd\r\n", b"\r\n\r\n")))
    await asyncio.sleep(0.5)
    visit.fin()


async def part_of_head(visit: Visit, asked: Asked) -> None:
    visit.send(b"HTTP/1.1 200 OK\r\nX-Id: ")
    visit.chance.choice((visit.fin, visit.rst))()


async def odd_head(visit: Visit, asked: Asked) -> None:
    visit.send(visit.chance.choice((
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: yes\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x04evil",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 30,
    )))  # fmt: skip
    await asyncio.sleep(0.5)
    visit.fin()


async def nothing(visit: Visit, asked: Asked) -> None:
    visit.chance.choice((visit.fin, visit.rst))()


async def silent(visit: Visit, asked: Asked) -> None:
    with suppress(EOFError, OSError):
        while await visit.reader.read(1 << 16):
            pass
    raise Ended


async def websocket(visit: Visit, asked: Asked) -> None:
    """Sends back each frame with the request's own name before it."""
    if asked.fields.get("upgrade") != "websocket":
        visit.site.faults.append(f"{asked.unique} lost its upgrade")
        visit.fin()
    visit.head(asked, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x", status="101 Switching Protocols")
    while True:
        first, second = await visit.reader.readexactly(2)
        size = second & 127
        mask = await visit.reader.readexactly(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await visit.reader.readexactly(size)))
        if first & 15 == 8:
            visit.send(bytes((0x88, len(data))) + data)
            visit.fin()
        answer = asked.unique.encode() + b"/" + data
        visit.send(bytes((0x81, len(answer))) + answer)


Behaviour = Callable[[Visit, Asked], Awaitable[None]]
GOOD = (length, length, length, chunked, chunked, trailers, to_the_end, old, last, leaves, interim, empty, more, slow, early)
"""Their answers are complete."""
ANY = (early_last,)
"""A reset for the unread body may overtake the answer."""
CUT = (short, cut_length, cut_chunked, cut_to_the_end, odd_chunk)
"""Begin an answer, and do not end it."""
BAD = (part_of_head, odd_head, nothing, nothing)
"""Give no answer at all."""
BEHAVIOURS: dict[str, Behaviour] = {each.__name__: each for each in (*GOOD, *ANY, *CUT, *BAD, silent, websocket)}
EARLY = frozenset({"early", "early_last", "websocket"})


@dataclass(slots=True)
class Site:
    seed: int
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    visits: int = 0

    async def start(self, pair: Pair) -> list[asyncio.Server]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=HEAD_LIMIT) for tls in (context, None)]
        for port, server in zip((443, 80), servers, strict=True):
            self.ports[port] = server.sockets[0].getsockname()[1]
        return servers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        await Visit(self, reader, writer, self.visits).serve()

    def came(self, asked: Asked) -> None:
        before = self.arrivals.setdefault(asked.unique, [])
        before.append(asked.arrival)
        if len(before) == 1:
            return
        first, *again = before
        repeatable = asked.method in {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}
        if len(again) > 1 or not repeatable or first.index == 0 or first.spoke or asked.arrival.index:
            self.faults.append(f"{asked.unique} ({asked.do}) came again: {before}")

    def excuses(self, unique: str, *, repeatable: bool) -> bool:
        """Whether a good request may have failed because its connection was ended from here at an instant of its own. What can be
        asked again was: on a new connection, which is not ended before its first answer."""
        came = self.arrivals.get(unique, [])
        if not came:
            return not repeatable
        return came[-1].killed and (came[-1].spoke or not repeatable)
