"""How a connection's end is told (RFC 9112, section 8; RFC 9110, section 6.1): whether the peer meant it."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from gateway.link import Link
from tests.e2e.pki import Pair as Certificate
from tests.e2e.pki import TestAuthority
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


def end_by_reset(sock: socket.socket) -> None:
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
            end_by_reset(peer)
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


async def _caught_up(end: str, held: bool) -> tuple[bytes, int, bool | None]:
    """What was told by catching up, before the loop could tell anything, how often the end was then, and how it was in the end."""
    ear, loop = Ear(), asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        link = Link(ear)
        connecting = loop.create_connection(lambda: link, *server.getsockname())
        (peer, _), _ = await asyncio.gather(loop.sock_accept(server), connecting)
        if held:
            link.hold()
        peer.send(b"x" * 100_000)
        if end == "reset":
            end_by_reset(peer)
        elif end == "FIN":
            peer.close()
        link.catch_up()
        got = bytes(ear.got)
        if end == "open":
            peer.send(b"more")
        if held:
            link.unhold()
        await until(lambda: ear.lost_links if end != "open" else len(ear.got) == 100_004)
        if end == "open":
            peer.close()
            await until(lambda: ear.lost_links)
        return got, ear.lost_links, link.ended_well


@pytest.mark.parametrize("held", [False, True], ids=["", "held"])
@pytest.mark.parametrize("end", ["open", "FIN", "reset"])
@pytest.mark.parametrize("run", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_what_has_come_is_taken_before_the_loop_tells_of_it(run: object, end: str, held: bool) -> None:
    assert callable(run)
    got, ends, well = run(_caught_up(end, held))
    assert got == (b"" if held else b"x" * 100_000)
    assert (ends, well) == (1, end != "reset")


async def test_a_link_that_resets_ends_by_areset() -> None:
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


# --- bytes and their owner -------------------------------------------------------------------------------------------------


class Pair:
    """Two links, each the other's peer."""

    def __init__(self, left: Link, right: Link) -> None:
        self.left, self.right = left, right
        self.left_ear, self.right_ear = Ear(), Ear()
        left.owner, right.owner = self.left_ear, self.right_ear

    async def secure(self, pair: Certificate, authority: Path, *, name: str = "up.test") -> list[Exception | None]:
        """TLS on both, and what each said of it."""
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(authority))
        server.load_cert_chain(pair.certificate, pair.key)
        told: list[Exception | None] = []
        self.right.start_tls(server, told.append, server_side=True)
        self.left.start_tls(client, told.append, server_side=False, server_name=name)
        await until(lambda: len(told) == 2)
        return told


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    made = [Link(), Link()]
    for link, end in zip(made, socket.socketpair(), strict=True):
        await loop.create_connection(lambda link=link: link, sock=end)  # type: ignore[misc]
    yield Pair(*made)
    for link in made:
        link.abort()
    await asyncio.sleep(0)


@pytest.fixture
def certificate(upstream_authority: TestAuthority) -> Certificate:
    return upstream_authority.issue("up.test")


async def test_bytes_that_come_without_an_owner_end_the_connection(pair: Pair) -> None:
    pair.right.owner = None
    pair.left.write(b"unasked")
    await until(lambda: pair.left_ear.lost_links)
    assert not pair.right.open


async def test_reading_stops_until_nobody_has_a_reason_against_it(pair: Pair) -> None:
    pair.right.hold()
    pair.right.hold()
    pair.left.write(b"waits")
    pair.right.unhold()
    assert pair.right.held
    pair.left.write(b" here")
    await until(lambda: not pair.right.quiet())  # it is there, and nobody read it
    assert pair.right_ear.got == b""
    pair.right.unhold()
    await until(lambda: pair.right_ear.got == b"waits here")
    assert not pair.right.held


async def test_a_peer_that_left_is_seen_while_nothing_is_read(pair: Pair) -> None:
    pair.right.hold()
    assert not pair.right.gone()
    pair.left.abort()
    await until(pair.right.gone)
    assert not pair.right.quiet()
    assert pair.right_ear.lost_links == 0


async def test_what_is_finished_is_read_and_forgotten_and_sends_no_more(pair: Pair) -> None:
    pair.left.write(b"the last")
    pair.left.finish()
    pair.left.write(b" not this")
    pair.left.finish()
    await until(lambda: pair.right_ear.lost_links)  # which ends the connection from its side
    assert bytes(pair.right_ear.got) == b"the last"
    await until(lambda: pair.left_ear.lost_links)
    assert (bytes(pair.left_ear.got), pair.left_ear.lost_links) == (b"", 1)


async def test_what_still_comes_after_the_finish_reaches_nobody() -> None:
    ear, (here, there) = Ear(), socket.socketpair()
    link = Link(ear)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=here)
    link.finish()
    there.send(b"still sending")
    there.close()
    await until(lambda: ear.lost_links)
    assert ear.got == b""


async def test_a_close_sends_what_is_written_first(pair: Pair) -> None:
    pair.left.write(bytes(1 << 20))
    pair.left.close()
    pair.left.write(b"not this")
    await until(lambda: pair.right_ear.lost_links)
    assert len(pair.right_ear.got) == 1 << 20
    await until(lambda: pair.left_ear.lost_links)
    pair.left.abort()  # which finds nothing to end
    assert (pair.left.open, pair.right.open) == (False, False)


# --- TLS --------------------------------------------------------------------------------------------------------------------------


async def test_bytes_pass_both_ways_in_tls(pair: Pair, certificate: Certificate, upstream_authority: TestAuthority) -> None:
    assert await pair.secure(certificate, upstream_authority.file) == [None, None]
    pair.left.write(bytes(100_000))
    pair.right.write(b"back")
    await until(lambda: len(pair.right_ear.got) == 100_000 and pair.left_ear.got == b"back")


async def test_what_follows_the_handshake_at_once_is_not_lost(
    pair: Pair, certificate: Certificate, upstream_authority: TestAuthority
) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(upstream_authority.file))
    server.load_cert_chain(certificate.certificate, certificate.key)
    pair.right.start_tls(server, lambda _: None, server_side=True)
    pair.left.start_tls(client, lambda _: pair.left.write(b"at once"), server_side=False, server_name="up.test")
    await until(lambda: pair.right_ear.got == b"at once")


@pytest.mark.parametrize("how", ["close", "finish"])
async def test_a_goodbye_in_tls_is_a_good_end(
    pair: Pair, certificate: Certificate, upstream_authority: TestAuthority, how: str
) -> None:
    await pair.secure(certificate, upstream_authority.file)
    pair.left.write(b"the last")
    getattr(pair.left, how)()
    await until(lambda: pair.right_ear.lost_links)
    assert (bytes(pair.right_ear.got), pair.right.ended_well) == (b"the last", True)


async def test_an_end_in_tls_without_a_goodbye_is_none(
    pair: Pair, certificate: Certificate, upstream_authority: TestAuthority
) -> None:
    """RFC 9112, section 9.8: it may be the work of anybody on the way."""
    await pair.secure(certificate, upstream_authority.file)
    pair.left.write(b"cut")
    pair.left.abort()
    await until(lambda: pair.right_ear.lost_links)
    assert not pair.right.ended_well


async def test_a_certificate_for_another_name_fails_on_both_sides(
    pair: Pair, certificate: Certificate, upstream_authority: TestAuthority
) -> None:
    told = await pair.secure(certificate, upstream_authority.file, name="other.test")
    assert isinstance(told[0], ssl.SSLCertVerificationError) or isinstance(told[1], ssl.SSLCertVerificationError)
    assert None not in told[:1]
    await until(lambda: pair.left_ear.lost_links and pair.right_ear.lost_links)


async def test_a_handshake_that_ends_with_its_connection_is_told_once(pair: Pair, certificate: Certificate) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.certificate, certificate.key)
    told: list[Exception | None] = []
    pair.right.start_tls(server, told.append, server_side=True, begun=b"\x16\x03\x01")
    pair.left.abort()
    await until(lambda: pair.right_ear.lost_links)
    assert [type(error) for error in told] == [ConnectionResetError]


async def test_bytes_that_are_no_tls_fail_the_handshake(pair: Pair, certificate: Certificate) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.certificate, certificate.key)
    told: list[Exception | None] = []
    pair.right.start_tls(server, told.append, server_side=True, begun=b"GET / HTTP/1.1\r\n\r\n")
    assert [type(error) for error in told] == [ssl.SSLError]
    await until(lambda: pair.right_ear.lost_links)


async def test_nonsense_inside_tls_ends_the_connection_and_not_well(
    pair: Pair, certificate: Certificate, upstream_authority: TestAuthority
) -> None:
    await pair.secure(certificate, upstream_authority.file)
    assert pair.left._transport is not None
    pair.left._transport.write(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that nobody sealed
    await until(lambda: pair.right_ear.lost_links)
    assert (bytes(pair.right_ear.got), pair.right.ended_well) == (b"", False)
