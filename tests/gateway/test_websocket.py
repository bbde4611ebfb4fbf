"""WebSocket on mitmproxy's layer, once released (TRAPS 7, 13)."""

from firewall.audit.entry import Event
from tests.gateway.rig import DENY, Rig, plain, until

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


async def test_a_websocket_to_a_denied_host_does_not_open(rig: Rig) -> None:
    rig.engine.verdict = DENY
    assert (await rig.ask(plain("/ws", headers=WEBSOCKET))).status == 403
    assert rig.log.requests == []
