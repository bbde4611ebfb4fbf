"""Proxies without the guard, against which a vector of each family must succeed; else it attacks nothing.

`naive` is what one writes in an afternoon: it judges hosts and paths by what the agent says, reads leniently, and passes on the
bytes as they came. `mitmdump` is mitmproxy's own, with its default options. The others are our engine with one function replaced.
"""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tests.attacks.server import Server
from tests.attacks.witness import Message, read_message
from tests.e2e.parts import free_port, until

DENIED_HOSTS = frozenset({"denied.test", "localhost", "127.0.0.1", "169.254.169.254"})
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Resolve = Callable[[str], Awaitable[str]]


async def by_the_system(host: str) -> str:
    """As libc reads it: `127.1`, `0x7f.1` and `2130706433` are addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


class Naive(Server):
    """`port`: of the destination, whatever name and port are asked for. `judged`: what it has judged, `METHOD target`. `dialled`:
    the addresses that it has dialled. `length_first`: as the destination does not. `resolve`: asked once for the judgement, of
    which `secret` is refused, and once more for the dialling."""

    def __init__(self, port: int, *, length_first: bool, resolve: Resolve | None = None, secret: str = "") -> None:
        super().__init__()
        self._to = port
        self._length_first = length_first
        self._resolve = resolve or by_the_system
        self._secret = secret
        self.judged: list[str] = []
        self.dialled: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Naive"]:
        async with self._listening(("127.0.0.1", 0, None)) as (self.port,):
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """Reads requests one after another, also inside a CONNECT; what does not begin like one is piped."""
        buffer, tunnel = b"", ""
        upstreams: dict[str, asyncio.StreamWriter] = {}
        while data := await reader.read(65536):
            buffer += data
            if tunnel and not buffer[:1].isalpha():
                if tunnel not in upstreams:
                    upstreams[tunnel] = await self._dial(tunnel, writer)
                upstreams[tunnel].write(buffer)
                buffer = b""
            while (message := read_message(buffer, length_first=self._length_first)) is not None:
                raw, buffer = buffer[: message.size], buffer[message.size :]
                self.judged.append(f"{message.method} {message.target}")
                where, path = _destination(message, tunnel)
                if await self._denies(where, path):
                    writer.write(REFUSAL)
                    return
                if message.method == "CONNECT":
                    tunnel = where
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    continue
                if where not in upstreams:
                    upstreams[where] = await self._dial(where, writer)
                upstreams[where].write(raw.replace(message.target.encode("latin-1"), path.encode("latin-1"), 1))

    async def _denies(self, where: str, path: str) -> bool:
        host = _host(where)
        if host in DENIED_HOSTS or path.startswith("/denied"):
            return True
        return self._secret != "" and await self._resolve(host) == self._secret

    async def _dial(self, where: str, client: asyncio.StreamWriter) -> asyncio.StreamWriter:
        host = _host(where)
        address = "127.0.0.1" if host.endswith((".test", ".com")) and not self._secret else await self._resolve(host)
        self.dialled.append(address)
        reader, writer = await asyncio.open_connection(address, self._to)
        self._writers.append(writer)
        self._tasks.add(asyncio.create_task(_pump(reader, client)))
        return writer


def _host(where: str) -> str:
    host = where.rpartition("@")[2]
    return host.rpartition(":")[0].strip("[]") if re.search(r":\d*$", host) else host.strip("[]")


def _destination(message: Message, tunnel: str) -> tuple[str, str]:
    """Authority and path: the tunnel's, the target's, or what Host says."""
    if message.method == "CONNECT":
        return message.target, ""
    match = re.match(r"http://([^/]*)(.*)", message.target, re.DOTALL)
    if match:
        return tunnel or match[1], match[2] or "/"
    return tunnel or message.fields.get("host", ""), message.target


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextmanager
def mitmdump(folder: Path, *options: str) -> Iterator[int]:
    """Stock mitmproxy as a process of its own; its port. Destinations need no certificate. `options`: more of its own."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    process = subprocess.Popen([*command, "--set", f"confdir={folder}", "--set", "ssl_insecure=true", *options])
    try:
        until(lambda: process.poll() is not None or _listens(port), 60)
        assert process.poll() is None, "mitmdump ended"
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
