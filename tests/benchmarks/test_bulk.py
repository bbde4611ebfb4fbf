import asyncio
from collections.abc import AsyncIterator

import pytest

from benchmarks import upstream
from benchmarks.bulk import BULK, Stream, answer


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(upstream.Server, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def begin(stream: Stream, port: int) -> None:
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
    stream.take(transport)


async def test_bodies_of_any_size_go_both_ways_at_once(port: int) -> None:
    size = 3_000_000
    stream = Stream(b"POST %b%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BULK.encode(), size, size), size, size)
    await begin(stream, port)
    await stream.done
    assert stream.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {size}\r\n".encode() in stream.head
    assert (stream.sent, stream.got >= size) == (size, True)


async def test_an_answer_that_is_not_read_stops(port: int) -> None:
    size = 200_000_000
    stream = Stream(b"GET %b%d HTTP/1.1\r\n\r\n" % (BULK.encode(), size), 0, size)
    await begin(stream, port)
    while not stream.got:
        await asyncio.sleep(0)
    stream.pause()
    before = stream.got
    await asyncio.sleep(0.05)
    assert stream.got == before < size
    stream.close()
    await stream.done


def test_a_target_says_how_much_is_answered() -> None:
    async def size() -> bytes:
        return answer(f"{BULK}7", 0)._start

    assert b"Content-Length: 7\r\n" in asyncio.run(size())
