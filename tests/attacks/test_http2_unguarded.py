"""One vector of each family over HTTP/2 against a build without the guard: there the attack gets through."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from tests.attacks.conftest import Trust
from tests.attacks.frames import PREFACE, SETTINGS, encoded, frame
from tests.attacks.http2_peers import Agent2, Destination2
from tests.attacks.http2_unguarded import Naive2
from tests.attacks.http2_vector import Answering2, Attack2, Family2, Shown2, families2
from tests.attacks.scene import SECONDS, scene
from tests.attacks.test_http2_attacks import AFTER, agent2, asks, hurl, two
from tests.attacks.unguarded import mitmdump
from tests.attacks.witness import Witness
from tests.gateway.rig import Wire, until

WITHOUT = {
    "engine without a limit on header lists": "gateway.http2_library.HEADER_LIST_LIMIT",
    "engine without a limit on CONTINUATION": "h2.frame_buffer.CONTINUATION_BACKLOG",
    "engine without CALM": "gateway.http2_link.CALM",
}
"""Which bound is lifted."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """It offers HTTP/2 to an agent although the destination speaks HTTP/1."""
    with mitmdump(tmp_path_factory.mktemp("mitmproxy"), "--set", "connection_strategy=lazy") as port:
        yield port


@pytest.mark.parametrize("family", families2(), ids=lambda family: family.name)
async def test_a_family_succeeds_without_the_guard(
    family: Family2, trust: Trust, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    shown, attack = family.shown, family.vector(family.shown.attack)
    assert shown.through or shown.unjudged or shown.got or shown.survives or shown.breaks
    if shown.build in WITHOUT:
        monkeypatch.setattr(WITHOUT[shown.build], 1 << 30)
    async with asyncio.timeout(SECONDS):
        match attack:
            case Attack2() if shown.build == "mitmdump":
                await through_mitmdump(attack, shown, request.getfixturevalue("stock"), trust)
            case Attack2() if shown.build in WITHOUT:
                async with scene(trust.tls, trust.roots) as stage, agent2(stage.rig, preface=attack.preface) as agent:
                    await hurl(agent, attack)
                    await ends(agent, shown)
            case Answering2() if shown.build in WITHOUT:
                async with two(trust, Destination2(attack.answer)) as rig, agent2(rig) as agent:
                    await agent.send(b"".join(encoded(asks(attack), {})))
                    await agent.until(lambda: 1 in agent.heads)
                    await ends(agent, shown)
            case Attack2():
                await through_naive(attack, shown)
            case Answering2():
                await answered_through_naive(attack, shown)


async def ends(agent: Agent2, shown: Shown2) -> None:
    await agent.get(AFTER, "/after")
    assert await agent.over(AFTER) == shown.survives
    assert (agent.heads.get(AFTER, {}).get(":status") == "200") == shown.survives


async def gets_through(shown: Shown2, witness: Witness, judged: list[str]) -> None:
    if shown.through:
        await until(lambda: shown.through.encode("latin-1") in witness.received)
    if shown.unjudged:
        await until(lambda: shown.unjudged in witness.requests)
        assert shown.unjudged not in judged


async def through_naive(attack: Attack2, shown: Shown2) -> None:
    witness = Witness()
    async with witness.serving(), Naive2(witness.port, downgrades=True).serving() as proxy:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
        agent = Agent2(wire.reader, wire.writer)
        await agent.send((PREFACE + frame(SETTINGS, 0, 0, b"")) * attack.preface + b"".join(encoded(attack.send, {})))
        await gets_through(shown, witness, proxy.judged)
        if shown.survives:
            await ends(agent, shown)
        await wire.close()


async def answered_through_naive(attack: Answering2, shown: Shown2) -> None:
    destination = Destination2(attack.answer, attack.first, hangs_up=attack.hangs_up)
    async with destination.serving(None), Naive2(destination.port, downgrades=False).serving() as proxy:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
        agent = Agent2(wire.reader, wire.writer)
        await agent.send(PREFACE + frame(SETTINGS, 0, 0, b"") + b"".join(encoded(asks(attack), {})))
        if shown.got:
            assert await agent.until(lambda: shown.got in agent.everything)
        if shown.breaks:
            assert not await agent.over(1)
        await wire.close()


async def through_mitmdump(attack: Attack2, shown: Shown2, port: int, trust: Trust) -> None:
    """Names mean nothing to it here, so its CONNECT says where the destination is."""
    witness = Witness()
    async with witness.serving(trust.tls):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        to = f"127.0.0.1:{witness.tls_port}"
        await wire.ask(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode(), head_only=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        await wire.writer.start_tls(context, server_hostname="up.test")
        await wire.send(PREFACE + frame(SETTINGS, 0, 0, b"") + b"".join(encoded(attack.send, {})))
        await gets_through(shown, witness, [])
        await wire.close()


@pytest.mark.parametrize("path", ["/denied", "/first"])
async def test_the_naive_proxy_is_not_merely_open(path: str) -> None:
    witness = Witness()
    async with witness.serving(), Naive2(witness.port, downgrades=True).serving() as proxy:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
        agent = Agent2(wire.reader, wire.writer)
        await agent.send(PREFACE)
        await agent.get(1, path)
        assert await agent.over(1) == (path == "/first")
        await wire.close()
