"""What a test's servers leave behind fails no later test."""

import asyncio
import gc
import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.accepting import keep_handler


async def test_a_connection_that_comes_while_its_server_closes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_handler_that_waits_for_ever_is_not_collected_when_its_peer_has_left() -> None:
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_handler()
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()
            ended.set()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await waiting.wait()
        writer.close()
        await writer.wait_closed()
        for _ in range(10):  # until the server has read the end
            await asyncio.sleep(0)
        gc.collect()
        assert not ended.is_set()
        (task,) = [one for one in asyncio.all_tasks() if "wait" in str(one.get_coro()) and one is not asyncio.current_task()]
        task.cancel()
        await ended.wait()
