"""Every attack of `tests/vectors/attacks/http2` against the gateway: it is refused with its reason or made harmless, nothing of it
reaches the other side, what the engine keeps of it is bounded, and others are served."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
import structlog

from firewall.backends.resolver import SystemResolver
from gateway.http2_link import Http2Link
from gateway.link import Link
from tests.attacks.conftest import Trust
from tests.attacks.frames import PREFACE, SETTINGS, encoded, frame
from tests.attacks.http2_peers import Agent2, Destination2
from tests.attacks.http2_vector import Answering2, Attack2, Family2, Outcome, families2
from tests.attacks.parametrized import parametrized
from tests.attacks.scene import governed, scene
from tests.gateway.rig import Rig, until

FAMILIES = families2()
AFTER = 2_000_001
"""A stream that no attack uses."""


vectors = partial(parametrized, FAMILIES)


def test_there_are_enough_of_them_and_each_says_where_it_comes_from() -> None:
    every = [vector for family in FAMILIES for vector in family.vectors]
    assert len(FAMILIES) >= 20
    assert len(every) >= 250
    assert [vector.attack for vector in every if not vector.source] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_names_each_attack_once_and_each_refusal_its_reason(family: Family2) -> None:
    names = [vector.attack for vector in family.vectors]
    assert len(names) == len(set(names))
    for vector in family.vectors:
        outcomes = [vector.outcome] if isinstance(vector, Answering2) else vector.streams.values()
        assert [one for one in outcomes if one.code and not one.detail] == []
        assert isinstance(vector, Answering2) or not vector.goodbye or vector.says


class Kept:
    """`most`: bytes that the engine had at one time for an HTTP/2 connection, after it had read from it. `looks`: how often that
    was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = self.looks = 0
        received = Http2Link.received

        def measured(wire: Http2Link, link: Link, data: bytes) -> None:
            received(wire, link, data)
            self.looks += 1
            self.most = max(self.most, kept(wire))

        monkeypatch.setattr(Http2Link, "received", measured)


def kept(wire: Http2Link) -> int:
    frames = wire.h2.incoming_buffer
    size = wire.link.backlog + len(frames._data) + sum(len(one.data) for one in frames._headers_buffer)
    size += sum(table.maxsize for table in (wire.h2.decoder.header_table, wire.h2.encoder.header_table))
    size += sum(len(out.pending) for out in wire.outs.values())
    for stream in wire.streams.values():
        size += len(getattr(stream, "_buffer", b"")) + sum(map(len, getattr(stream, "_pieces", ())))
    return size


@asynccontextmanager
async def agent2(rig: Rig, *, preface: bool = True) -> AsyncIterator[Agent2]:
    wire = await rig.tunnel(alpn=["h2"])
    made = Agent2(wire.reader, wire.writer)
    if preface:
        await made.send(PREFACE + frame(SETTINGS, 0, 0, b""))
    yield made


async def is_served(rig: Rig) -> None:
    """Another agent's connection, and one by HTTP/2."""
    async with agent2(rig) as other:
        await other.get(1, "/fresh")
        assert await other.over(1)
        assert other.bodies[1] == b"reached /fresh"


def agrees(agent: Agent2, stream: int, expected: Outcome) -> None:
    head = agent.heads.get(stream, {})
    if expected.perhaps and head.get(":status") == "502":
        assert agent.code(stream)[0] == "upstream-unreachable"
        return
    assert head.get(":status") == (str(expected.status) if expected.status else None), (head, agent.bodies.get(stream))
    assert agent.resets.get(stream) == expected.reset
    if expected.code:
        code, detail = agent.code(stream)
        assert (code, expected.detail in detail) == (expected.code, True), detail
    else:
        assert ("x-aaf-decision" in head) == expected.ours
    if expected.body is not None:
        assert agent.bodies.get(stream, b"") == expected.body.encode("latin-1")
    if expected.trailers is not None:
        assert tuple(agent.trailers.get(stream, ())) == expected.trailers


# --- by the agent -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", vectors("request"))
async def test_an_attack_of_an_agent(attack: Attack2, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    keeps = Kept(monkeypatch)
    with structlog.testing.capture_logs() as logged:
        async with scene(trust.tls, trust.roots) as stage, agent2(stage.rig, preface=attack.preface) as agent:
            await (hurl(agent, attack) if attack.reads else clog(stage.rig, agent, attack, monkeypatch))
            for stream, expected in attack.streams.items():
                assert await agent.over(stream), (agent.goodbye, logged)
                agrees(agent, stream, expected)
            reached = list(attack.reached)
            if attack.goodbye is not None or attack.ends:
                assert not await agent.until(lambda: False)
                assert agent.goodbye == attack.goodbye, logged
            else:
                assert agent.goodbye is None
                await agent.get(AFTER, "/after")
                assert await agent.over(AFTER), (agent.goodbye, logged)
                assert agent.bodies[AFTER] == b"reached /after"
                reached.append("GET /after")
            if not reached:
                assert stage.witness.connections == 0
            await is_served(stage.rig)
            assert stage.witness.requests == [*reached, "GET /fresh"]
            got = bytes(stage.witness.received).lower()
            assert [text for text in attack.absent if text.lower().encode("latin-1") in got] == []
            for stream, expected in attack.streams.items():
                if expected.code:
                    assert agent.heads[stream]["x-aaf-action"] in recorded(stage.rig, expected.code)
    if attack.says:
        assert attack.says in [one["reason"] for one in logged if one["event"] == "http2.refused"]
    if attack.keeps is not None:
        assert keeps.looks
        assert keeps.most <= attack.keeps
    assert [one for one in logged if one["log_level"] in ("error", "critical")] == []


async def hurl(agent: Agent2, attack: Attack2) -> None:
    """While it sends it reads as well: else both sides would wait for each other."""
    data = b"".join(encoded(attack.send, {}))

    async def pour() -> None:
        try:
            for at in range(0, len(data), 65536):
                await agent.send(data[at : at + 65536])
        except (ConnectionError, ssl.SSLError):
            pass

    pouring = asyncio.create_task(pour())
    while not pouring.done():
        stepping = asyncio.create_task(agent.step())
        await asyncio.wait([pouring, stepping], return_when=asyncio.FIRST_COMPLETED)
        if not stepping.done():
            stepping.cancel()
            await asyncio.wait([stepping])
        elif not stepping.result():
            break
    await pouring


async def clog(rig: Rig, agent: Agent2, attack: Attack2, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads nothing until nothing is read from it, which must hold however many frames are let pass."""
    monkeypatch.setattr("gateway.http2_link.BACKLOG", 1 << 16)
    monkeypatch.setattr("gateway.http2_calm.CHATTER", 1 << 30)
    (session,) = rig.gateway.sessions()
    assert session.link._transport is not None
    session.link._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
    pouring = asyncio.create_task(agent.send(b"".join(encoded(attack.send, {}))))
    await until(lambda: session.link._holds)
    assert await agent.until(pouring.done)
    await pouring


def recorded(rig: Rig, code: str) -> list[str]:
    drafts = [dict(draft.fields) for draft in rig.ledger.drafts]
    return [str(fields["action"]) for fields in drafts if fields.get("code") == code]


# --- by the destination -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def two(trust: Trust, destination: Destination2) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(destination.serving(trust.h2))
        resolver = SystemResolver(f"up.test:443:127.0.0.1:{destination.port}")
        yield await stack.enter_async_context(governed(trust.roots, resolver))


@pytest.mark.parametrize("attack", vectors("answer"))
async def test_an_attack_of_a_destination(attack: Answering2, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    keeps = Kept(monkeypatch)
    destination = Destination2(attack.answer, attack.first, hangs_up=attack.hangs_up)
    with structlog.testing.capture_logs() as logged:
        async with two(trust, destination) as rig, agent2(rig) as agent:
            await agent.send(b"".join(encoded(asks(attack), {})))
            assert await agent.over(1)
            agrees(agent, 1, attack.outcome)
            assert [text for text in attack.absent if text.lower() in agent.everything] == []
            assert agent.interims == attack.interims
            if attack.failed:
                await until(rig.ledger.failed)
            assert rig.ledger.failed() == ([attack.failed] if attack.failed else [])
            await agent.get(3, "/next")
            assert await agent.over(3)
            assert agent.bodies[3] == b"reached /next"
            await is_served(rig)
            assert destination.requests[1:] == ["GET /next", "GET /fresh"]
            first, *others = destination.came_on
            assert (first in others) == attack.reused
    if attack.keeps is not None:
        assert keeps.looks
        assert keeps.most <= attack.keeps
    assert [one for one in logged if one["log_level"] in ("error", "critical")] == []


def asks(attack: Answering2) -> list[dict[str, Any]]:
    fields = [[":method", attack.method], [":scheme", "https"], [":authority", "up.test"], [":path", "/first"]]
    if attack.method != "POST":
        return [{"headers": fields, "end": True}]
    return [{"headers": fields}, {"data": "hello", "end": True}]


# --- where HTTP/2 was not agreed on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [None, 80], ids=["to the proxy", "in a tunnel to port 80"])
async def test_http_2_by_prior_knowledge_in_clear_is_refused(port: int | None, trust: Trust) -> None:
    async with scene(trust.tls, trust.roots) as stage:
        wire = await stage.rig.connect() if port is None else await stage.rig.tunnel(port=port, tls=False)
        get = frame(1, 5, 1, b"\x82\x84\x86\x41\x07up.test")
        answer = await wire.ask(PREFACE + frame(SETTINGS, 0, 0, b"") + get)
        assert (answer.status, answer.code) == (400, "malformed")
        await wire.rest()
        assert stage.witness.connections == 0
