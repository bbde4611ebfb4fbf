import asyncio
from collections.abc import AsyncIterator

import pytest

from benchmarks.client import Broken, Proxy, connect, request
from benchmarks.upstream import BODY, Server

PROXY = Proxy(host="127.0.0.1", port=1, credential="bot:token")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_a_plain_request_names_the_host_and_carries_the_credential() -> None:
    text = request(PROXY, "GET", "localhost", 9080, "/a?b=1", b"", tunnelled=False)
    assert text.startswith(b"GET http://localhost:9080/a?b=1 HTTP/1.1\r\nHost: localhost:9080\r\n")
    assert b"\r\nProxy-Authorization: Basic Ym90OnRva2Vu\r\n" in text
    assert b"Content-Length" not in text


def test_a_request_in_a_tunnel_carries_no_credential() -> None:
    text = request(PROXY, "POST", "localhost", 9443, "/a", b"{}", tunnelled=True)
    assert text.startswith(b"POST /a HTTP/1.1\r\nHost: localhost:9443\r\n")
    assert b"Proxy-Authorization" not in text
    assert text.endswith(b"Content-Length: 2\r\n\r\n{}")


async def test_one_connection_carries_one_request_after_another(port: int) -> None:
    connection = await connect(Proxy(host="127.0.0.1", port=port), "localhost", port, None)
    try:
        for _ in range(3):
            text = request(PROXY, "POST", "localhost", port, "/", b"x" * 3000, tunnelled=True)
            assert await connection.ask(text) == (200, BODY)
    finally:
        connection.close()


async def test_an_answer_that_does_not_come_is_an_error_not_a_wait(port: int) -> None:
    connection = await connect(Proxy(host="127.0.0.1", port=port), "localhost", port, None)
    asking = asyncio.ensure_future(connection.ask(b"GET / HTTP/1.1\r\n"))  # no end of the head
    await asyncio.sleep(0)
    connection.close()
    with pytest.raises(Broken):
        await asking
