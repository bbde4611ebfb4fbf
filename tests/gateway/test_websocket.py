"""WebSocket on mitmproxy's layer, once released: its handshake is a request like any, and then it is bridged (TRAPS 1 to
20)."""

import asyncio
from contextlib import suppress
from itertools import cycle

import pytest

from addons.passage import Step
from firewall.audit.entry import Event
from gateway import websocket
from gateway.bridge import Bridge
from tests.gateway.rig import ALLOW, DENY, HOLD, RawUpstream, Rig, Wire, inner, plain, until
from tests.gateway.test_engine import BEFORE_EGRESS, fails, hooks_with
from tests.gateway.test_keepalive import ASKS, asks


class Socket(RawUpstream):
    """A destination that agrees to be a WebSocket. `head`: what it was asked; `got`: what came after that, once it `reads`."""

    def __init__(self, *, reads: bool = True, echoes: bool = False, pours: bytes = b"") -> None:
        super().__init__(self._speak)
        self.head, self.got = b"", bytearray()
        self.reads, self.ended = asyncio.Event(), asyncio.Event()
        self._echoes, self._pours = echoes, pours
        if reads:
            self.reads.set()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while self._pours:
                writer.write(self._pours)
                await writer.drain()
            await self.reads.wait()
            while data := await reader.read(65536):
                self.got += data
                if self._echoes:  # short texts
                    said = bytes(a ^ b for a, b in zip(data[6:], cycle(data[2:6]), strict=False))
                    writer.write(bytes([0x81, len(said)]) + said)
        finally:
            self.ended.set()


def text(data: bytes) -> bytes:
    """A masked text frame."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + bytes(4) + data


async def opened(rig: Rig, there: Socket, headers: str = "") -> Wire:
    rig.lead("raw.test", there.port)
    wire = await rig.connect()
    assert (await wire.ask(plain("/ws", host="raw.test", headers=WEBSOCKET + headers), head_only=True)).status == 101
    return wire


async def pour(wire: Wire, data: bytes) -> None:
    while True:
        await wire.send(data)


WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


async def test_a_websocket_passes_both_ways_once_released(rig: Rig) -> None:
    wire = await rig.connect()
    answer = await wire.ask(plain("/ws", headers=WEBSOCKET), head_only=True)
    assert answer.status == 101
    await wire.send(b"\x81\x82\x00\x00\x00\x00hi")
    assert await wire.reader.readexactly(9) == b"\x81\x07echo hi"
    await wire.close()
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED) or rig.ledger.failed())


async def test_a_dead_peer_of_an_open_websocket_is_noticed_by_the_kernel(rig: Rig) -> None:
    """No time limit ends what may be silent for days (TRAPS 18)."""
    wire = await rig.tunnel()
    assert (await wire.ask(inner("/ws", headers=WEBSOCKET), head_only=True)).status == 101
    (session,) = rig.gateway.sessions()
    await until(lambda: isinstance(session.stage, Bridge) and len(session.stage.links) == 2)
    assert isinstance(session.stage, Bridge)
    assert [asks(link.socket) for link in session.stage.links.values()] == [ASKS, ASKS]


async def test_a_websocket_to_a_denied_host_does_not_open_and_its_connection_serves_on(rig: Rig) -> None:
    wire = await rig.tunnel()
    rig.engine.verdict = DENY
    answer = await wire.ask(inner("/ws", headers=WEBSOCKET))
    assert (answer.status, answer.code) == (403, "policy")
    assert rig.log.requests == []
    rig.engine.verdict = ALLOW
    assert (await wire.ask(inner("/a"))).body == b"reached /a"


async def test_what_a_client_sends_ahead_of_the_agreement_comes_through_whole(rig: Rig) -> None:
    agree, got = asyncio.Event(), bytearray()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await agree.wait()
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(65536):
            got.extend(data)

    async with RawUpstream(behave).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        frame = b"\x82\xfe\xff\xff\x00\x00\x00\x00" + b"x" * 65535
        sending = asyncio.create_task(wire.send(plain("/ws", host="raw.test", headers=WEBSOCKET) + frame * 20))
        (session,) = rig.gateway.sessions()
        await until(lambda: session.link.held)
        agree.set()
        await until(lambda: len(got) >= 20 * 65535)  # each frame has a mask of its own by now
        await sending


@pytest.mark.parametrize(
    ("name", "limit", "sent"),
    [
        ("MESSAGE_LIMIT", 10_000, b"\x82\xfe\xff\xff\x00\x00\x00\x00" + b"x" * 20_000),
        ("FRAGMENTS_LIMIT", 100, b"\x02\x81\x00\x00\x00\x00x" + b"\x00\x81\x00\x00\x00\x00x" * 200),
    ],
    ids=["bytes", "fragments"],
)
async def test_a_message_that_does_not_end_ends_the_connection(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, limit: int, sent: bytes
) -> None:
    monkeypatch.setattr(websocket, name, limit)
    wire = await rig.connect()
    assert (await wire.ask(plain("/ws", headers=WEBSOCKET), head_only=True)).status == 101
    await wire.send(sent)
    async with asyncio.timeout(20):
        assert await wire.rest() == b"\x88\x02\x03\xf1"  # 1009: too big
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))


# --- TRAPS 1: an addon that raises lets the request, or the message, through ---------------------------------------------


@pytest.mark.parametrize("step", BEFORE_EGRESS, ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_handshake(rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    wire = await rig.tunnel()
    monkeypatch.setattr(step, "__call__", fails)
    rig.engine.verdict = HOLD if step.name == "hold" else ALLOW
    answer = await wire.ask(inner("/ws", headers=WEBSOCKET))
    assert (answer.status, answer.code) == (503, "defect")
    assert rig.log.heads == 0


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
async def test_a_hook_that_raises_at_the_agreement_ends_both_connections(rig: Rig, hook: str) -> None:
    rig.gateway.hooks = hooks_with(rig, **{hook: fails})
    async with Socket().serving() as there:
        rig.lead("raw.test", there.port)
        wire = await rig.connect()
        await wire.send(plain("/ws", host="raw.test", headers=WEBSOCKET))
        assert await wire.rest() == b""
        await there.ended.wait()


async def test_a_hook_that_raises_at_a_message_ends_both_connections_and_the_message_goes_nowhere(rig: Rig) -> None:
    rig.gateway.hooks = hooks_with(rig, websocket_message=fails)
    async with Socket().serving() as there:
        wire = await opened(rig, there)
        await wire.send(text(b"secret"))
        assert await wire.rest() == b""
        await there.ended.wait()
        assert there.got == b""


# --- TRAPS 3, 11: who does not read ----------------------------------------------------------------------------------------


async def test_what_is_sent_behind_a_held_handshake_does_not_gather(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    await wire.send(plain("/ws", headers=WEBSOCKET))
    await rig.held()
    (session,) = rig.gateway.sessions()
    sending = asyncio.create_task(wire.send(bytes(64 << 20)))
    await until(lambda: session.link.held)
    assert not sending.done()
    await wire.abort()
    with suppress(ConnectionError):
        await sending
    await rig.held(0)  # TRAPS 14
    assert rig.ledger.decided() == [("pending", "client-left")]
    assert rig.log.heads == 0


async def test_a_destination_that_does_not_read_stops_the_client(rig: Rig) -> None:
    async with Socket(reads=False).serving() as there:
        wire = await opened(rig, there)
        (session,) = rig.gateway.sessions()
        sending = asyncio.create_task(pour(wire, text(bytes(60_000))))
        await until(lambda: session.link.held)
        assert not sending.done()
        there.reads.set()
        await until(lambda: not session.link.held)  # and then it goes on
        sending.cancel()
        await asyncio.wait([sending])


async def test_a_client_that_does_not_read_stops_the_destination(rig: Rig) -> None:
    async with Socket(pours=b"\x82\x7e\xea\x60" + bytes(60_000)).serving() as there:
        wire = await opened(rig, there)
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        (session,) = rig.gateway.sessions()
        assert isinstance(session.stage, Bridge)
        (upstream,) = (link for link in session.stage.links.values() if link is not session.link)
        await until(lambda: upstream.held)
        assert session.link.backlog < 1 << 20
        await wire.abort()
        await there.ended.wait()


# --- TRAPS 5 --------------------------------------------------------------------------------------------------------------


async def test_another_host_or_server_name_than_the_tunnels_is_refused(rig: Rig) -> None:
    for host, name in (("other.test", "up.test"), ("up.test", "other.test")):
        wire = await rig.tunnel(server_name=name)
        answer = await wire.ask(inner("/ws", host=host, headers=WEBSOCKET))
        assert (answer.status, answer.code) == (421, "misdirected")
    assert rig.log.heads == 0


# --- TRAPS 7: what is not WebSocket -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [b"SSH-2.0-OpenSSH_9.6\r\n", b"GET /b HTTP/1.1\r\nHost: up.test\r\n\r\n", b"\x81\x02hi", b"\x16\x03\x01\x00\x05hello"],
    ids=["ssh", "a request", "a frame without a mask", "TLS"],
)  # fmt: skip
async def test_what_is_no_frame_ends_both_connections_and_goes_nowhere(rig: Rig, sent: bytes) -> None:
    async with Socket().serving() as there:
        wire = await opened(rig, there)
        await wire.send(sent)
        await wire.rest()
        await there.ended.wait()
        assert sent not in bytes(there.got)
        assert bytes(there.got[:1]) in (b"", b"\x88")  # at most a goodbye


# --- TRAPS 8, 9, 16: the way to the destination -----------------------------------------------------------------------------


async def test_nothing_is_dialled_before_the_decision_is_recorded(rig: Rig) -> None:
    async with Socket().serving() as there:
        rig.lead("raw.test", there.port)
        rig.engine.gate.clear()
        rig.ledger.gate.clear()
        wire = await rig.connect()
        await wire.send(plain("/ws", host="raw.test", headers=WEBSOCKET))
        await until(lambda: rig.engine.asked)
        assert (there.connections, rig.resolver.asked) == (0, [])
        rig.engine.gate.set()
        await until(lambda: rig.resolver.asked)
        assert there.connections == 0
        rig.ledger.gate.set()
        assert (await wire.answer(head_only=True)).status == 101
        assert there.connections == 1


async def test_credentials_for_the_proxy_do_not_reach_the_destination(rig: Rig) -> None:
    async with Socket().serving() as there:
        await opened(rig, there, headers="Proxy-Connection: keep-alive\r\nPrefer: wait=3\r\nSec-WebSocket-Protocol: chat\r\n")
        head = there.head.lower()
        assert b"\r\nsec-websocket-protocol: chat\r\n" in head
        assert b"\r\nproxy-" not in head
        assert b"\r\nprefer:" not in head


async def test_a_connection_that_carried_a_websocket_carries_nothing_else(rig: Rig) -> None:
    async with Socket().serving() as there:
        first = await opened(rig, there)
        await first.close()
        await there.ended.wait()
        assert len(rig.gateway.pool) == 0
        await opened(rig, there)
        assert there.connections == 2


# --- TRAPS 13: messages accumulate -----------------------------------------------------------------------------------------


async def test_messages_do_not_stay_on_the_flow(rig: Rig) -> None:
    async with Socket(echoes=True).serving() as there:
        wire = await opened(rig, there)
        (session,) = rig.gateway.sessions()
        assert isinstance(session.stage, Bridge)
        flow = session.stage._layer.flow  # type: ignore[attr-defined]
        for number in range(50):
            await wire.send(text(b"%03d" % number))
            assert await wire.reader.readexactly(5) == b"\x81\x03%03d" % number
            assert len(flow.websocket.messages) == 1
        await wire.close()
        await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
        (completed,) = rig.ledger.fields(Event.ACTION_COMPLETED)
        assert (completed["request_bytes"], completed["response_bytes"]) == (150, 150)


# --- TRAPS 20: bytes that become a request ----------------------------------------------------------------------------------


async def test_what_follows_a_handshake_that_is_not_agreed_to_is_judged_like_any_request(rig: Rig) -> None:
    """The destination says 200: what was sent ahead is the next request, or none."""
    rig.engine.paths["/denied"] = DENY
    wire = await rig.connect()
    await wire.send(plain("/no-websocket", headers=WEBSOCKET) + plain("/denied") + text(b"hi"))
    assert (await wire.answer()).status == 200
    answer = await wire.answer()
    assert (answer.status, answer.code) == (403, "policy")
    await wire.close()
    await until(lambda: not len(rig.gateway))
    assert rig.log.paths() == ["/no-websocket"]
