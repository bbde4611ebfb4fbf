"""Nothing waits for ever: heads, idle connections, uploads, dialling, answers (TRAPS 18)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest

from firewall.audit.entry import Event
from tests.e2e.upstream import Upstream
from tests.gateway.rig import ALLOW, HOLD, PATIENT, RawUpstream, Rig, basic, inner, plain, running, until

SHORT = 0.3


async def _rig(upstream: Upstream, roots: str, **short: float) -> AsyncIterator[Rig]:
    async with running(upstream, roots=roots, patience=replace(PATIENT, **short)) as rig:
        yield rig


@pytest.fixture
async def hasty(upstream: Upstream, upstream_roots: str, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A rig with one limit short: the one that the test names."""
    async for rig in _rig(upstream, upstream_roots, **{request.param: SHORT}):
        yield rig


def short(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("hasty", [name], indirect=True)


# --- heads ----------------------------------------------------------------------------------------------------------------


@short("head")
@pytest.mark.parametrize("begun", [b"", b"GET http://up.test/ HTTP/1.1\r\nHost: up.test\r\nX-Slow: "], ids=["nothing", "half"])
async def test_a_head_that_does_not_come_ends_the_connection(hasty: Rig, begun: bytes) -> None:
    wire = await hasty.connect()
    await wire.send(begun)
    assert await wire.rest() == b""
    assert hasty.log.heads == 0


@short("head")
async def test_a_head_that_trickles_ends_the_connection(hasty: Rig) -> None:
    wire = await hasty.connect()
    await wire.send(b"GET http://up.test/ HTTP/1.1\r\n")
    with suppress(ConnectionError):
        while not wire.reader.at_eof():
            await wire.send(b"X-Slow: yes\r\n")
            await asyncio.sleep(0.02)
    assert await wire.rest() == b""


@short("head")
async def test_a_tunnel_in_which_nothing_begins_ends(hasty: Rig) -> None:
    wire = await hasty.tunnel(tls=False)
    assert await wire.rest() == b""


@short("head")
async def test_a_tls_handshake_that_stalls_ends_the_connection(hasty: Rig) -> None:
    wire = await hasty.tunnel(tls=False)
    await wire.send(b"\x16\x03\x01\x02\x00\x01\x00")
    assert await wire.rest() == b""


@short("head")
async def test_a_second_request_that_begins_and_stops_ends_the_connection(hasty: Rig) -> None:
    wire = await hasty.connect()
    assert (await wire.ask(plain("/a"))).status == 200
    await wire.send(b"GET http://up.test/b HT")
    assert await wire.rest() == b""
    assert hasty.log.paths() == ["/a"]


# --- idle -----------------------------------------------------------------------------------------------------------------


@short("idle")
async def test_an_idle_connection_ends(hasty: Rig) -> None:
    wire = await hasty.tunnel()
    assert (await wire.ask(inner("/a"))).status == 200
    assert await wire.rest() == b""


@short("idle")
async def test_an_upload_that_stalls_ends_and_is_on_record(hasty: Rig) -> None:
    wire = await hasty.connect()
    await wire.send(f"POST http://up.test/ HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 100\r\n\r\nhalf".encode())
    await until(lambda: hasty.log.heads == 1)
    await wire.rest()
    await until(lambda: hasty.ledger.failed())
    assert hasty.ledger.failed() == ["abandoned"]


@short("idle")
async def test_an_upload_to_be_held_that_stalls_ends_and_opens_no_approval(hasty: Rig) -> None:
    hasty.engine.verdict = HOLD
    wire = await hasty.connect()
    await wire.send(f"POST http://up.test/ HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 100\r\n\r\nhalf".encode())
    await wire.rest()
    await until(lambda: not len(hasty.gateway))
    assert (hasty.ledger.states, hasty.log.heads) == ({}, 0)


@short("idle")
async def test_a_held_request_is_not_idle(hasty: Rig) -> None:
    hasty.engine.verdict = HOLD
    wire = await hasty.connect()
    await wire.send(plain("/held", method="POST", body=b"x"))
    await hasty.held()
    other = await hasty.connect()
    hasty.engine.verdict = ALLOW
    assert (await other.ask(plain("/a"))).status == 200
    assert await other.rest() == b""  # by now a connection that was idle has ended
    assert len(hasty.services.room) == 1
    hasty.approve()
    assert (await wire.answer()).body == b"reached /held"


# --- upstream -------------------------------------------------------------------------------------------------------------


@contextmanager
def black_hole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port whose connections are neither taken nor refused: its queue is full."""
    with closing(socket.socket()) as server:
        server.bind((address, port))
        server.listen(0)
        fill = []
        try:
            for _ in range(4):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(server.getsockname())
                fill.append(one)
            yield server.getsockname()[1]
        finally:
            for one in fill:
                one.close()


@short("connect")
async def test_a_destination_that_does_not_accept_is_a_504_on_record(hasty: Rig) -> None:
    with black_hole() as port:
        hasty.lead("raw.test", port)
        wire = await hasty.connect()
        answer = await wire.ask(plain("/", host="raw.test"))
        assert (answer.status, answer.code) == (504, "upstream-timeout")
        await until(lambda: hasty.ledger.failed())
    assert hasty.ledger.failed() == ["upstream-timeout"]
    assert (await wire.ask(plain("/after"))).body == b"reached /after"


@short("connect")
async def test_a_tls_handshake_that_the_destination_stalls_is_a_504_on_record(hasty: Rig) -> None:
    async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with RawUpstream(mute).serving() as destination:
        hasty.lead("raw.test", destination.port)
        wire = await hasty.tunnel("raw.test")
        answer = await wire.ask(inner("/", host="raw.test"))
        assert (answer.status, answer.code) == (504, "upstream-timeout")
    await until(lambda: hasty.ledger.failed())
    assert hasty.ledger.failed() == ["upstream-timeout"]


@short("response")
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-"], ids=["nothing", "half a head"])
async def test_a_destination_that_does_not_answer_is_a_504_on_record(hasty: Rig, part: bytes) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(part)
        await reader.read()

    async with RawUpstream(hang).serving() as destination:
        hasty.lead("raw.test", destination.port)
        answer = await hasty.ask(plain("/", host="raw.test"))
        assert (answer.status, answer.code) == (504, "upstream-timeout")
    await until(lambda: hasty.ledger.failed())
    assert hasty.ledger.failed() == ["upstream-timeout"]


@short("response")
async def test_an_answer_that_stops_in_the_middle_is_cut_and_on_record(hasty: Rig) -> None:
    async def stop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await reader.read()

    async with RawUpstream(stop).serving() as destination:
        hasty.lead("raw.test", destination.port)
        wire = await hasty.connect()
        await wire.send(plain("/", host="raw.test"))
        with pytest.raises(asyncio.IncompleteReadError):
            await wire.answer()
    await until(lambda: hasty.ledger.failed())
    assert hasty.ledger.failed() == ["upstream-timeout"]


@short("response")
async def test_an_answer_that_moves_is_not_cut(hasty: Rig) -> None:
    pieces = int(SHORT / 0.05) * 2

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % pieces)
        for _ in range(pieces):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)  # the pace of this destination

    async with RawUpstream(drip).serving() as destination:
        hasty.lead("raw.test", destination.port)
        assert (await hasty.ask(plain("/", host="raw.test"))).body == b"x" * pieces
    await until(lambda: hasty.ledger.fields(Event.ACTION_COMPLETED))
    assert hasty.ledger.failed() == []
