"""The load of the soak: a destination, and each thing that an agent does, with the answer that it must get."""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from tests.e2e.fuzz_client import credential
from tests.e2e.fuzz_site import reset
from tests.e2e.parts import Agent, Parts
from tests.e2e.pki import Pair
from tests.gateway.rig import Answer, Wire

PAUSE = 0.1
"""Seconds on average between two things that a lane does."""
STREAM = 2 << 20
SECONDS = 60.0
"""After which a request counts as hung."""
_NUMBERS = count()


class Site:
    """`/down` answers with a stream, `/events` with events until its client leaves or six are sent, `/silent` never; anything else
    with the size of what came."""

    def __init__(self) -> None:
        self.ports: dict[int, int] = {}
        self.came: Counter[str] = Counter()

    async def start(self, pair: Pair) -> list[asyncio.Server]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls) for tls in (context, None)]
        for port, server in zip((443, 80), servers, strict=True):
            self.ports[port] = server.sockets[0].getsockname()[1]
        return servers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                self.came[path] += 1
                size = await _body(reader, head)
                if path.startswith("/silent"):
                    await reader.read()
                    return
                await self._answer(path, size, head, reader, writer)
        except (EOFError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, path: str, size: int, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:  # fmt: skip
        if "upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await reader.read(1000):
                writer.write(b"\x81\x02ok" if data[0] == 0x81 else b"\x88\x00")
            return
        if path.startswith("/events"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(6):
                event = b"data: %d\n\n" % number
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                await writer.drain()
                await asyncio.sleep(0.1)
            writer.write(b"0\r\n\r\n")
        elif path.startswith("/down"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STREAM)
            for _ in range(STREAM // 65536):
                writer.write(b"d" * 65536)
                await writer.drain()
        else:
            text = b"%d" % size
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()


async def _body(reader: asyncio.StreamReader, head: str) -> int:
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
    if fields.get("transfer-encoding") != "chunked":
        left = size = int(fields.get("content-length", 0))
        while left:
            data = await reader.read(min(left, 65536))
            if not data:
                raise EOFError
            left -= len(data)
        return size
    size = 0
    while piece := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(piece + 2)
        size += piece
    await reader.readexactly(2)
    return size


@dataclass(slots=True)
class Load:
    """`did`: how often each thing was done. `faults`: what was not as it should be, in words."""

    parts: Parts
    agents: list[Agent]
    tls: ssl.SSLContext
    did: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    stopping: bool = False

    async def lane(self) -> None:
        while not self.stopping:
            await self.do(random.choice(list(THINGS)))
            await asyncio.sleep(random.uniform(0, 2 * PAUSE))

    async def do(self, name: str) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await THINGS[name](self, random.choice(self.agents))
        except TimeoutError:
            self.faults.append(f"{name}: hung")
        except (EOFError, OSError, AssertionError) as error:
            self.faults.append(f"{name}: {type(error).__name__}: {error}")
        self.did[name] += 1

    async def approver(self) -> None:
        """Approves PUT and denies DELETE; what else is held stays so."""
        seen: set[str] = set()
        while True:
            for approval in await asyncio.to_thread(self.parts.api.approvals, "pending"):
                method, identifier = str(approval["method"]), str(approval["id"])
                if identifier in seen or method == "POST":
                    continue
                seen.add(identifier)
                await asyncio.to_thread(self.parts.api.approve if method == "PUT" else self.parts.api.deny, identifier)
            await asyncio.sleep(0.1)

    # --- connections

    async def open(self, agent: Agent, host: str) -> Wire:
        """By TLS in a tunnel."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", agent.port))
        where = f"{host}:443"
        head = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{credential(agent)}\r\n\r\n"
        answer = await wire.ask(head.encode(), head_only=True)
        assert answer.status == 200, answer
        await wire.writer.start_tls(self.tls, server_hostname=host)
        return wire

    async def ask(self, agent: Agent, host: str, method: str, path: str, body: bytes = b"", more: str = "") -> Answer:
        """One request on a connection of its own."""
        wire = await self.open(agent, host)
        try:
            return await wire.ask(request(method, host, path, body, more))
        finally:
            await wire.close()


def request(method: str, host: str, path: str, body: bytes = b"", more: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{more}\r\n".encode() + body


def path(kind: str) -> str:
    return f"/{kind}/{next(_NUMBERS)}"


def expect(answer: Answer, status: int, code: str = "") -> None:
    assert answer.status == status, answer
    assert not code or answer.code == code, answer


# --- what a lane does


async def kept(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    for size in (0, 10, 5000, 0, 80_000):
        expect(await wire.ask(request("POST" if size else "GET", "open.test", path("a"), b"x" * size)), 200)
    await wire.close()


async def pipelined(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(request("GET", "open.test", path("a")) * 3 + request("POST", "open.test", path("a"), b"12345"))
    assert [(await wire.answer()).body for _ in range(4)] == [b"0", b"0", b"0", b"5"]
    await wire.close()


async def plain(load: Load, agent: Agent) -> None:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", agent.port))
    for _ in range(3):
        text = f"GET http://open.test{path('a')} HTTP/1.1\r\nHost: open.test\r\n{credential(agent)}\r\n\r\n"
        expect(await wire.ask(text.encode()), 200)
    await wire.close()


async def denied(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "closed.test")
    expect(await wire.ask(request("GET", "closed.test", path("a"))), 403, "policy")
    expect(await wire.ask(request("POST", "closed.test", path("a"), b"x" * 1000)), 403, "policy")
    await wire.close()


async def stranger(load: Load, agent: Agent) -> None:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", agent.port))
    expect(await wire.ask(b"CONNECT open.test:443 HTTP/1.1\r\nHost: open.test:443\r\n\r\n"), 407)
    await wire.close()


async def malformed(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    expect(await wire.ask(b"GET / HTTP/1.1\r\nHost: open.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400)
    await wire.close()


async def approved(load: Load, agent: Agent) -> None:
    expect(await load.ask(agent, "held.test", "PUT", path("yes"), b"pay"), 200)


async def refused(load: Load, agent: Agent) -> None:
    expect(await load.ask(agent, "held.test", "DELETE", path("no"), b"pay"), 403, "approver")


async def expired(load: Load, agent: Agent) -> None:
    expect(await load.ask(agent, "brief.test", "POST", path("late"), b"pay"), 403, "expired")


async def impatient(load: Load, agent: Agent) -> None:
    expect(await load.ask(agent, "held.test", "POST", path("late"), b"pay", "Prefer: wait=1\r\n"), 503, "pending")


async def too_large(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "held.test")
    head = f"POST {path('late')} HTTP/1.1\r\nHost: held.test\r\nContent-Length: 500000000\r\n\r\n"
    await wire.send(head.encode() + b"x" * 100_000)
    expect(await wire.answer(), 413)
    await wire.close()


async def upload(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(f"POST {path('up')} HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for _ in range(STREAM // 65536):
        await wire.send(b"10000\r\n" + b"u" * 65536 + b"\r\n")
    await wire.send(b"0\r\n\r\n")
    assert (await wire.answer()).body == b"%d" % STREAM
    await wire.close()


async def download(load: Load, agent: Agent) -> None:
    answer = await load.ask(agent, "open.test", "GET", path("down"))
    assert (answer.status, len(answer.body)) == (200, STREAM)


async def event_stream(load: Load, agent: Agent) -> None:
    answer = await load.ask(agent, "open.test", "GET", path("events"))
    assert answer.body.count(b"data: ") == 6, answer


async def websocket(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    fields += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    expect(await wire.ask(request("GET", "open.test", path("ws"), more=fields), head_only=True), 101)
    for _ in range(5):
        await wire.send(b"\x81\x82\x00\x00\x00\x00hi")
        assert await wire.reader.readexactly(4) == b"\x81\x02ok"
    await wire.close()


# --- and how it leaves


def leave(wire: Wire) -> None:
    if random.random() < 0.5:
        reset(wire.writer)
    else:
        wire.writer.transport.abort()


async def leaves_at_once(load: Load, agent: Agent) -> None:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", agent.port))
    await wire.send(b"CONNECT open.test:443 HT"[: random.randrange(24)])
    leave(wire)


async def leaves_in_tls(load: Load, agent: Agent) -> None:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", agent.port))
    head = f"CONNECT open.test:443 HTTP/1.1\r\nHost: open.test:443\r\n{credential(agent)}\r\n\r\n"
    expect(await wire.ask(head.encode(), head_only=True), 200)
    await wire.send(b"\x16\x03\x01\x02\x00\x01")
    leave(wire)


async def leaves_in_head(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(b"GET / HTTP/1.1\r\nHost: op")
    leave(wire)


async def leaves_in_body(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, random.choice(("open.test", "held.test")))
    host = wire.writer.get_extra_info("ssl_object").server_hostname
    await wire.send(f"POST {path('late')} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000\r\n\r\n".encode() + b"x" * 20_000)
    await asyncio.sleep(random.random() * 0.05)
    leave(wire)


async def leaves_while_judged(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(request("GET", "open.test", path("a")) * random.randint(1, 4))
    await asyncio.sleep(random.random() * 0.01)
    leave(wire)


async def leaves_while_held(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "held.test")
    await wire.send(request(random.choice(("POST", "PUT")), "held.test", path("left"), b"pay"))
    await asyncio.sleep(random.random() * 0.5)
    leave(wire)


async def leaves_while_it_waits(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(request("GET", "open.test", path("silent")))
    await asyncio.sleep(random.random() * 0.5)
    leave(wire)


async def leaves_in_the_answer(load: Load, agent: Agent) -> None:
    wire = await load.open(agent, "open.test")
    await wire.send(request("GET", "open.test", path(random.choice(("down", "events")))))
    await wire.reader.readuntil(b"\r\n\r\n")
    leave(wire)


Thing = Callable[[Load, Agent], Awaitable[None]]
THINGS: dict[str, Thing] = {
    each.__name__: each
    for each in (
        kept, pipelined, plain, denied, stranger, malformed, approved, refused, expired, impatient, too_large, upload, download,
        event_stream, websocket, leaves_at_once, leaves_in_tls, leaves_in_head, leaves_in_body, leaves_while_judged,
        leaves_while_held, leaves_while_it_waits, leaves_in_the_answer,
    )
}  # fmt: skip
