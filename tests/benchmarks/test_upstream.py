import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from benchmarks import upstream
from benchmarks.client import Connection, Proxy, connect


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    server = await asyncio.get_running_loop().create_server(upstream.Server, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        made = await connect(Proxy(host="127.0.0.1", port=port), "localhost", port, None)
        yield made
        made.close()


async def test_the_first_byte_of_a_held_request_is_noted_once(connection: Connection) -> None:
    text = b"POST /held/x/1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n"
    assert connection.transport is not None
    begin = asyncio.get_running_loop().time()
    asking = asyncio.ensure_future(connection.ask(text))
    await asyncio.sleep(0.05)
    middle = asyncio.get_running_loop().time()
    connection.transport.write(b"{}")
    assert (await asking)[0] == 200
    assert (await connection.ask(text + b"{}"))[0] == 200
    status, body = await connection.ask(b"GET /seen HTTP/1.1\r\n\r\n")
    assert status == 200
    assert begin * 1e9 <= json.loads(body)["/held/x/1"] < middle * 1e9


async def test_other_requests_are_answered_and_not_noted(connection: Connection) -> None:
    status, body = await connection.ask(b"GET /items/1 HTTP/1.1\r\n\r\n")
    assert (status, body) == (200, upstream.BODY)
    _, seen = await connection.ask(b"GET /seen HTTP/1.1\r\n\r\n")
    assert "/items/1" not in json.loads(seen)
