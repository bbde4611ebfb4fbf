"""An upstream proxy of the test's own: it takes CONNECT and pipes, or does what it is told instead."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from firewall.upstream_proxy import ProxyHop
from tests.accepting import keep_handler


class SomeProxy:
    """`heads`: of every CONNECT that came. `leads`: where the authority of a CONNECT is dialled (port of 127.0.0.1); without it, at
    itself. `says`: sent in place of an answer."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, says: bytes | None = None) -> None:
        self.heads: list[str] = []
        self.leads: Callable[[str], int] = lambda authority: int(authority.rpartition(":")[2])
        self.says = says
        self.port = 0
        self._tls = tls

    def hop(self, *, host: str = "127.0.0.1", credential: str = "") -> ProxyHop:
        return ProxyHop(host=host, port=self.port, tls=self._tls is not None, credential=credential)

    @property
    def authorities(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["SomeProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_handler()
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if self.says is None:
                there = await asyncio.open_connection("127.0.0.1", self.leads(head.split(" ")[1]))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
            else:
                writer.write(self.says)
                await reader.read()
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
