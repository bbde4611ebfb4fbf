"""The kernel looks after connections that nobody else gives a time."""

import asyncio
import socket

from gateway.keepalive import BETWEEN_SECONDS, IDLE_SECONDS, TIMES, keep_alive
from gateway.link import Link
from tests.gateway.test_link import Ear


def asks(sock: socket.socket) -> tuple[int, ...]:
    """Whether, after how long, how often and how many times."""
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return (on, *(sock.getsockopt(socket.IPPROTO_TCP, option) for option in options)) if on else (0,)


ASKS = (1, IDLE_SECONDS, BETWEEN_SECONDS, TIMES)


async def test_a_link_is_asked_after_from_then_on() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        link = Link(Ear())
        connecting = loop.create_connection(lambda: link, *server.getsockname())
        (peer, _), _ = await asyncio.gather(loop.sock_accept(server), connecting)
        with peer:
            assert asks(link.socket) == (0,)
            keep_alive(link)
            assert asks(link.socket) == ASKS
            link.abort()
            await asyncio.sleep(0)
            keep_alive(link)  # what is over is nobody's trouble


def test_a_link_that_never_was_connected_is_left_alone() -> None:
    async def alone() -> None:
        keep_alive(Link())

    asyncio.run(alone())
