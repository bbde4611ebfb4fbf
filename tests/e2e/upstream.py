"""A real destination on 127.0.0.1, with TLS and without, that keeps what reached it; and one that misbehaves on purpose."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from tests.e2e.pki import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`came_from`: the other side's port, which names the connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    came_from: int = 0


@dataclass(slots=True)
class Log:
    """Everything that reached the destination, in order. Written before it answers. `heads`: how many requests began."""

    requests: list[Seen] = field(default_factory=list)
    heads: int = 0

    @property
    def connections(self) -> int:
        """How many connections the requests came on."""
        return len({seen.came_from for seen in self.requests})

    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]


def server_context(pair: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


class LoopThread:
    """An event loop of its own, so that blocking clients in a test cannot stop the server they talk to."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(_await(work), self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


async def _await(work: Awaitable[Any]) -> Any:
    return await work


Site = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]
"""Answers for one host."""


class Upstream:
    """`/echo…` answers with what it got, `/events` sends events one by one as `step` is called, `/ws` echoes, `/big` sends a
    megabyte, `/status/N` answers N, anything else answers its path. A host in `sites` is answered by its own function."""

    def __init__(self, thread: LoopThread, pair: Pair) -> None:
        self._thread = thread
        self._pair = pair
        self._runner: web.AppRunner | None = None
        self._events: asyncio.Queue[str | None] = asyncio.Queue()
        self.log = Log()
        self.sites: dict[str, Site] = {}
        self.ca_file = Path()
        self.https_port = 0
        self.http_port = 0

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        if self._runner is not None:
            self._thread.run(self._runner.cleanup())

    def step(self, event: str | None) -> None:
        """Sends one event to whoever reads `/events`; None ends the stream."""
        self._thread.loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("GET", "/events", self._stream)
        app.router.add_route("GET", "/ws", self._websocket)
        app.router.add_route("*", "/{tail:.*}", self._any)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=server_context(self._pair)).start()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.https_port, self.http_port = (address[1] for address in self._runner.addresses)

    async def _see(self, request: web.Request) -> Seen:
        self.log.heads += 1
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        seen = Seen(
            method=request.method,
            path=request.raw_path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            came_from=peer[1] if peer else 0,
        )
        self.log.requests.append(seen)
        return seen

    async def _any(self, request: web.Request) -> web.StreamResponse:
        seen = await self._see(request)
        site = self.sites.get(request.url.host or "")
        if site is not None:
            return await site(request, seen)
        if request.path.startswith("/status/"):
            return web.Response(status=int(request.path.removeprefix("/status/")), text="as asked")
        if request.path == "/big":
            return web.Response(body=b"x" * (1 << 20))
        if request.path.startswith("/echo"):
            return web.json_response({"method": seen.method, "path": seen.path, "headers": seen.headers, "size": len(seen.body)})
        if request.path == "/forged":
            return web.Response(text="forged", headers={"X-AAF-Decision": "deny", "X-AAF-Action": "act_forged"})
        return web.Response(text=f"reached {seen.path}")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        await self._see(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while (event := await self._events.get()) is not None:
            await response.write(f"data: {event}\n\n".encode())
        return response

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        await self._see(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"echo {message.data}")
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Misbehaving:
    """A raw server that does what `behaviour` says with each connection."""

    def __init__(self, thread: LoopThread, behaviour: Behaviour, pair: Pair | None = None) -> None:
        self._thread = thread
        self._behaviour = behaviour
        self._pair = pair
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.received = bytearray()
        self.connections = 0

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        self._thread.run(self._stop())

    async def _start(self) -> None:
        context = None if self._pair is None else server_context(self._pair)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._behaviour(_Recording(reader, self.received), writer)  # type: ignore[arg-type]
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Recording:
    def __init__(self, reader: asyncio.StreamReader, into: bytearray) -> None:
        self._reader = reader
        self._into = into

    async def head(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        self._into.extend(head)
        return head
