"""A destination that speaks HTTP/2 and nothing else, with the manners of `Upstream`: `/events` sends events one by one as `step`
is called, anything else answers its path once its body is there."""

import asyncio
from contextlib import suppress
from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error

from tests.e2e.pki import Pair
from tests.e2e.upstream import Log, LoopThread, Seen, server_context


class Http2Upstream:
    """`log.heads` counts requests that began, `log.requests` those that are complete."""

    def __init__(self, thread: LoopThread, pair: Pair) -> None:
        self._thread = thread
        self._context = server_context(pair)
        self._context.set_alpn_protocols(["h2"])
        self._server: asyncio.Server | None = None
        self._events: asyncio.Queue[str | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self.log = Log()
        self.https_port = 0

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        self._thread.run(self._stop())

    def step(self, event: str | None) -> None:
        """Sends one event to whoever reads `/events`; None ends the stream."""
        self._thread.loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.https_port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.current_task())
        connection = _Connection(self, writer)
        with suppress(ConnectionError, H2Error):
            while data := await reader.read(65536):
                connection.received(data)
                await writer.drain()
        writer.close()

    async def stream(self, connection: "_Connection", number: int) -> None:
        connection.say(number, {"content-type": "text/event-stream"})
        while (event := await self._events.get()) is not None:
            connection.say(number, data=f"data: {event}\n\n".encode())
        connection.say(number, end=True)

    def spawn(self, work: Any) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: "asyncio.Task[None] | None") -> None:
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Connection:
    def __init__(self, upstream: Http2Upstream, writer: asyncio.StreamWriter) -> None:
        self._upstream = upstream
        self._writer = writer
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.initiate_connection()

    def received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            match event:
                case events.RequestReceived(stream_id=int(number)):
                    self._upstream.log.heads += 1
                    self._heads[number] = dict(event.headers or ())  # type: ignore[arg-type]
                    self._bodies[number] = bytearray()
                case events.DataReceived(stream_id=int(number)):
                    self._bodies[number] += event.data or b""
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
                case events.StreamEnded(stream_id=int(number)):
                    self._complete(number)
        self._writer.write(self._h2.data_to_send())

    def _complete(self, number: int) -> None:
        head = self._heads.pop(number)
        fields = {name: value for name, value in head.items() if not name.startswith(":")}
        method, path = head[":method"], head[":path"]
        port = self._writer.get_extra_info("peername")[1]
        body = bytes(self._bodies.pop(number))
        self._upstream.log.requests.append(Seen(method=method, path=path, headers=fields, body=body, came_from=port))
        if path == "/events":
            self._upstream.spawn(self._upstream.stream(self, number))
        else:
            self.say(number, {"content-type": "text/plain"}, f"reached {path}".encode(), end=True)

    def say(self, number: int, fields: dict[str, str] | None = None, data: bytes = b"", *, end: bool = False) -> None:
        with suppress(H2Error):  # whoever asked has left
            if fields is not None:
                self._h2.send_headers(number, [(":status", "200"), *fields.items()])
            if data or end:
                self._h2.send_data(number, data, end_stream=end)
        self._writer.write(self._h2.data_to_send())
