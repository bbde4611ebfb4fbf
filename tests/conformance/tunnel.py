"""A way through the gateway for clients that know no proxy: a CONNECT for each connection that comes, and then bytes both ways."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.e2e.parts import Agent


@asynccontextmanager
async def leading(agent: Agent, authority: str, port: int) -> AsyncIterator[None]:
    """Listens on `port` of 127.0.0.1; what comes there is led to `authority`."""
    credential = base64.b64encode(f"{agent.name}:{agent.token}".encode()).decode()
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: Basic {credential}\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", agent.port)
        try:
            there_writer.write(head)
            answer = await there_reader.readuntil(b"\r\n\r\n")
            if answer.startswith(b"HTTP/1.1 200 "):
                await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))
            else:
                print(f"no tunnel to {authority}: {answer.decode('latin-1')}")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, there_writer):
                end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends, which ends the other."""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
