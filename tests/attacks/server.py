"""What every server and proxy of these tests does with its connections: takes them, and ends them with itself."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Server(ABC):
    """`_tasks`, `_writers`: what is to be ended too."""

    def __init__(self) -> None:
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """One connection, counted from 1; what its peer's leaving raises may be left alone."""

    @asynccontextmanager
    async def _listening(self, *places: tuple[str, int, ssl.SSLContext | None]) -> AsyncIterator[list[int]]:
        """At each address and port, with TLS or without. Gives the ports."""
        servers = [await asyncio.start_server(self._accept, address, port, ssl=tls) for address, port, tls in places]
        try:
            yield [server.sockets[0].getsockname()[1] for server in servers]
        finally:
            for server in servers:
                server.close()
            for task in self._tasks:
                task.cancel()
            for writer in self._writers:
                writer.close()
            await asyncio.gather(*self._tasks, *(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await self._serve(reader, writer, self.connections)
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()
