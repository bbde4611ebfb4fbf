"""Proxies without the guard, against which a vector of each family must succeed; else it attacks nothing.

`naive` is what one writes in an afternoon: it judges hosts and paths by what the agent says, reads leniently, and passes on the
bytes as they came. `mitmdump` is mitmproxy's own, with its default options. The others are our engine with one function replaced.
"""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.attacks.witness import Message, read_message

DENIED_HOSTS = frozenset({"denied.test", "localhost", "127.0.0.1", "169.254.169.254"})
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Resolve = Callable[[str], Awaitable[str]]


async def by_the_system(host: str) -> str:
    """As libc reads it: `127.1`, `0x7f.1` and `2130706433` are addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


class Naive:
    """`routes`: where names lead. `judged`: what it has judged, `METHOD target`. `length_first`: as the destination does not.
    `resolve`: asked once for the judgement and once more for the dialling."""

    def __init__(self, routes: Mapping[str, int], *, length_first: bool, resolve: Resolve = by_the_system) -> None:
        self._routes = routes
        self._length_first = length_first
        self._resolve = resolve
        self._tasks: set[asyncio.Task[None]] = set()
        self.judged: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Naive"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads requests one after another, also inside a CONNECT; what does not begin like one is piped."""
        buffer, tunnel = b"", ""
        upstreams: dict[str, asyncio.StreamWriter] = {}
        while data := await reader.read(65536):
            buffer += data
            if tunnel and not buffer[:1].isalpha():
                upstreams.setdefault(tunnel, await self._dial(tunnel, writer)).write(buffer)
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
        return self._resolve is not by_the_system and await self._resolve(host) in DENIED_HOSTS | {"127.0.0.3"}

    async def _dial(self, where: str, client: asyncio.StreamWriter) -> asyncio.StreamWriter:
        host = _host(where)
        port = self._routes.get(host) or int(re.sub(r"\D", "", where.rpartition(":")[2]) or 80)
        address = "127.0.0.1" if host in self._routes else await self._resolve(host)
        reader, writer = await asyncio.open_connection(address, port)
        task = asyncio.create_task(_pump(reader, client))
        self._tasks.add(task)
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


@asynccontextmanager
async def mitmdump(folder: Path) -> AsyncIterator[int]:
    """Stock mitmproxy as a process of its own; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, "--set", f"confdir={folder}", "--set", "ssl_insecure=true")
    try:
        await _listening(process, port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("mitmdump ended")
