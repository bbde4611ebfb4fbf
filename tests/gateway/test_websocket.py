"""WebSocket on mitmproxy's layer, once released (TRAPS 7, 13)."""

import asyncio

import pytest

from firewall.audit.entry import Event
from gateway import websocket
from gateway.bridge import Bridge
from tests.gateway.rig import DENY, RawUpstream, Rig, inner, plain, until
from tests.gateway.test_keepalive import ASKS, asks

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


async def test_a_websocket_to_a_denied_host_does_not_open(rig: Rig) -> None:
    rig.engine.verdict = DENY
    assert (await rig.ask(plain("/ws", headers=WEBSOCKET))).status == 403
    assert rig.log.requests == []


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
