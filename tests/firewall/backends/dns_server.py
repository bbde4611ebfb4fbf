"""A DNS server of a test's own on 127.0.0.1, UDP and TCP at one port (RFC 1035). It says what it is told to, lies included."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

A, CNAME, AAAA = 1, 5, 28
OK, SERVER_FAILURE, NO_SUCH_NAME, REFUSED = 0, 2, 3, 5
UDP_LIMIT = 1232


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An address, or with `alias` the name that `name` stands for. `name` empty: the name that was asked for."""

    value: str
    ttl: int = 60
    name: str = ""
    alias: bool = False

    @property
    def kind(self) -> int:
        return CNAME if self.alias else A if ip_address(self.value).version == 4 else AAAA

    def encode(self, asked: str) -> bytes:
        data = _name(self.value) if self.alias else ip_address(self.value).packed
        return _name(self.name or asked) + struct.pack("!HHIH", self.kind, 1, self.ttl, len(data)) + data


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """`silent`: no answer at all. `cut`: by UDP only the mark that the answer was cut off. `broken`: bytes that are no answer."""

    records: tuple[Record, ...] = ()
    code: int = OK
    silent: bool = False
    cut: bool = False
    broken: bool = False


def addresses(*values: str, ttl: int = 60) -> Says:
    return Says(records=tuple(Record(value=value, ttl=ttl) for value in values))


@dataclass(slots=True, kw_only=True)
class DnsServer(asyncio.DatagramProtocol):
    """`asked`: names and types as they came, by `udp` or `tcp`."""

    port: int = 0
    says: dict[str, Says] = field(default_factory=dict)
    asked: list[tuple[str, int, str]] = field(default_factory=list)
    heard: Callable[[str], None] = lambda name: None
    _transport: asyncio.DatagramTransport | None = None

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def times(self, name: str) -> int:
        """How often the IPv4 addresses of a name were asked for."""
        return sum(1 for asked, kind, _ in self.asked if (asked, kind) == (name, A))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, "udp")
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(length), "tcp")
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, question: bytes, way: str) -> bytes | None:
        name, end = _read_name(question, 12)
        (kind,) = struct.unpack_from("!H", question, end)
        self.asked.append((name, kind, way))
        self.heard(name)
        says = self.says.get(name, Says(code=NO_SUCH_NAME))
        if says.silent:
            return None
        if says.broken:
            return question[:2] + b"\x81\x80" + b"\xff" * 20
        records = [record.encode(name) for record in says.records if record.kind in (kind, CNAME)]
        cut = way == "udp" and (says.cut or sum(map(len, records)) > UDP_LIMIT)
        if cut:
            records = []
        flags = 0x8180 | (0x0200 if cut else 0) | says.code
        return question[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question[12 : end + 4] + b"".join(records)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    server, loop = DnsServer(), asyncio.get_running_loop()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", server.port), family=socket.AF_INET)
    try:
        yield server
    finally:
        transport.close()
        listening.close()


def _name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1
