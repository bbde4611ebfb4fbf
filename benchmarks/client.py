"""A lean HTTP/1.1 client through a proxy, for the load and for held requests."""

import asyncio
import base64
import ssl
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """`credential`: `name:token`, empty for a proxy that wants none."""

    host: str
    port: int
    credential: str = ""

    def header(self) -> str:
        if not self.credential:
            return ""
        return f"Proxy-Authorization: Basic {base64.b64encode(self.credential.encode()).decode()}\r\n"


class Broken(Exception):
    """The connection ended before the answer was complete."""


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._head_only = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._waiting is None or self._waiting.done():
            return
        head = self._buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        length = 0 if at < 0 or self._head_only else int(head[at + 17 :].split(b"\r\n", 1)[0])
        if len(self._buffer) >= end + 4 + length:
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._waiting.set_result((int(head[9:12]), body))

    async def ask(self, request: bytes, *, head_only: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        assert self.transport is not None
        self._head_only = head_only
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._waiting

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


async def connect(proxy: Proxy, host: str, port: int, tls: ssl.SSLContext | None, *, tunnel: bool = False) -> Connection:
    """To the proxy; with `tls` through a CONNECT to host:port and TLS inside it; with `tunnel` through the CONNECT alone."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, proxy.host, proxy.port)
    if tls is None and not tunnel:
        return connection
    request = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{proxy.header()}\r\n"
    status, _ = await connection.ask(request.encode(), head_only=True)
    if status != 200 or connection.transport is None:
        raise Broken(f"CONNECT was answered {status}")
    if tls is None:
        return connection
    secured = await loop.start_tls(connection.transport, connection, tls, server_hostname=host)
    connection.transport = cast(asyncio.Transport, secured)
    return connection


def request(proxy: Proxy, method: str, host: str, port: int, path: str, body: bytes, *, tunnelled: bool) -> bytes:
    target = path if tunnelled else f"http://{host}:{port}{path}"
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\nUser-Agent: bench\r\n"
    head += "" if tunnelled else proxy.header()
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
