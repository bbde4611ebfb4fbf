"""Hints by NOTIFY, on a connection of their own that reconnects. A hint may be lost: whoever listens also polls."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from firewall.backends.postgres.down import DOWN

RETRY_SECONDS = 0.5

log = structlog.get_logger()


class Listener:
    """`subscribe` before or after `start`; each callback gets the payload. After a reconnect every callback gets an empty
    payload: anything may have happened meanwhile."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._callbacks: dict[str, list[Callable[[str], None]]] = defaultdict(list)
        self._connection: asyncpg.Connection | None = None
        self._listened: set[str] = set()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._closing = False
        self.connected = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def subscribe(self, channel: str, callback: Callable[[str], None]) -> None:
        self._callbacks[channel].append(callback)
        if self._connection is not None:
            await self._listen(self._connection)

    async def close(self) -> None:
        self._closing = True
        self._lost.set()
        if self._task is not None:
            await self._task

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """LISTEN to every channel that this connection does not listen to yet."""
        async with self._turn:  # a connection runs one statement at a time
            for channel in list(self._callbacks):
                if channel not in self._listened:
                    await connection.add_listener(channel, self._heard)
                    self._listened.add(channel)

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._tell(channel, str(payload))

    def _tell(self, channel: str, payload: str) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(payload)
            except Exception:
                log.exception("listener.callback-failed", channel=channel)

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._listen_until_lost()
            except DOWN as error:
                log.warning("listener.connection-lost", error=type(error).__name__)
            except Exception:
                log.exception("listener.failed")  # whoever listens still polls, and must not stay deaf for good
            self.connected.clear()
            if not self._closing:
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen_until_lost(self) -> None:
        connection = await self._connect()
        try:
            self._lost.clear()
            if self._closing:
                return
            connection.add_termination_listener(lambda _connection: self._lost.set())
            # From here on `subscribe` adds its own channel; until here it leaves that to us.
            self._connection, self._listened = connection, set()
            await self._listen(connection)
            self.connected.set()
            for channel in list(self._callbacks):
                self._tell(channel, "")
            await self._lost.wait()
        finally:
            self._connection = None
            connection.terminate()
