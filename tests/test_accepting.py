"""A connection that comes while its server closes is closed."""

import asyncio
import gc
import socket
from collections.abc import Coroutine
from typing import Any

import pytest


async def test_it_leaves_nothing_unclosed(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, backlog=1)
    create, accepting = loop.create_task, asyncio.Event()

    def closing(made: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
        if "accept" in str(made):
            loop.call_soon(server.close)
            loop.call_soon(accepting.set)
            return create(_later(made), **options)
        return create(made, **options)

    monkeypatch.setattr(loop, "create_task", closing)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        await accepting.wait()
        client.settimeout(10)
        assert await asyncio.to_thread(client.recv, 1) == b""
    monkeypatch.undo()
    gc.collect()  # pytest makes an error of what would warn now


async def _later(made: Coroutine[Any, Any, Any]) -> None:
    """As when the server's closing stands before it in the queue."""
    await asyncio.sleep(0)
    await made
