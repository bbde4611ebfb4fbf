"""How a connection's end is told (RFC 9112, section 8; RFC 9110, section 6.1): whether the peer meant it."""

import asyncio
import socket
import struct

import pytest
import uvloop

from gateway.link import Link
from tests.gateway.rig import until


class Ear:
    """An owner that keeps what it gets."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.lost_links = 0

    def received(self, link: Link, data: bytes) -> None:
        self.got += data

    def pressure(self, link: Link, high: bool) -> None:
        pass

    def lost(self, link: Link) -> None:
        self.lost_links += 1


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def _end(reset: bool, late: bool) -> tuple[bytes, bool]:
    """What came, and whether it ended well, when the peer ends the connection by RST or FIN. `late`: the loop hears of the bytes
    and of the end at once."""
    ear, loop = Ear(), asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        link = Link(ear)
        connecting = loop.create_connection(lambda: link, *server.getsockname())
        (peer, _), _ = await asyncio.gather(loop.sock_accept(server), connecting)
        if late:
            link.hold()
        peer.send(b"the last bytes")
        if not late:
            await until(lambda: ear.got)
        if reset:
            _reset(peer)
        else:
            peer.close()
        if late:
            link.unhold()
        await until(lambda: ear.lost_links)
        return bytes(ear.got), link.ended_well


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("run", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_a_reset_is_no_good_end_even_when_it_comes_with_the_last_bytes(run: object, reset: bool, late: bool) -> None:
    assert callable(run)
    got, well = run(_end(reset, late))
    assert well is not reset
    assert got == b"the last bytes"


async def test_a_link_that_resets_ends_by_a_reset() -> None:
    loop = asyncio.get_running_loop()
    for resets in (False, True):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            link = Link(Ear())
            connecting = loop.create_connection(lambda link=link: link, *server.getsockname())  # type: ignore[misc]
            (peer, _), _ = await asyncio.gather(loop.sock_accept(server), connecting)
            with peer:
                link.resets = resets
                link.abort()
                if resets:
                    with pytest.raises(ConnectionResetError):
                        await loop.sock_recv(peer, 1)
                else:
                    assert await loop.sock_recv(peer, 1) == b""
