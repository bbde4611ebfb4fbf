"""What may come of one HTTP/2 request (TRAPS 14, 15, 20)."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from mitmproxy import connection

from firewall.egress import Route
from gateway.http2_forward import Http2Forward
from gateway.link import Link
from gateway.pool import Key, Upstream
from gateway.timeouts import Phase
from tests.e2e.upstream import Upstream as Destination
from tests.gateway.http2_agent import agent
from tests.gateway.rig import DENY, HOLD, PATIENT, Rig, running, until
from tests.gateway.test_link import end_by_reset

MEGABYTE = 1 << 20


async def test_a_reset_while_it_is_held_ends_the_hold(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    number = await made.request("POST", "/held", end=False)
    await made.data(number, b"x", end=True)
    await rig.held()
    made.h2.reset_stream(number, ErrorCodes.CANCEL)
    await made.flush()
    await rig.held(0)
    assert rig.ledger.decided() == [("pending", "client-left")]
    assert rig.log.requests == []


async def test_a_body_of_unknown_length_is_framed_by_us(rig: Rig) -> None:
    """TRAPS 20: a body that is itself a request must not become one."""
    made = await agent(rig)
    number = await made.request("GET", "/a", end=False)
    await made.data(number, b"GET /smuggled HTTP/1.1\r\nHost: up.test\r\n\r\n", end=True)
    assert (await made.answer(number))[0] == 200
    assert [(seen.path, seen.body) for seen in rig.log.requests] == [("/a", b"GET /smuggled HTTP/1.1\r\nHost: up.test\r\n\r\n")]


async def test_an_answer_to_an_upload_comes_before_its_end(rig: Rig) -> None:
    """TRAPS 15."""
    made = await agent(rig)
    rig.engine.verdict = DENY
    number = await made.request("POST", "/a", end=False, content_length=str(100 * MEGABYTE))
    await made.data(number, b"x" * 1000)
    assert await made.code(number) == (403, "policy")
    await made.until(lambda: number in made.resets)
    assert made.resets[number] == ErrorCodes.NO_ERROR


async def test_an_early_answer_is_not_lost_with_its_connection_that_is_reset_behind_it(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        made = await agent(rig)
        rig.gateway.dialer.dial = partial(in_clear, server.getsockname()[1])  # type: ignore[method-assign]
        number = await made.request("POST", "/a", end=False)
        peer, _ = await loop.sock_accept(server)
        (session,) = rig.gateway.sessions()
        await until(lambda: session.stage.requests[number]._phase is Phase.BODY)  # type: ignore[union-attr]
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
        end_by_reset(peer)
        made.h2.send_data(number, b"x" * 1000)
        session.link._deliver(made.h2.data_to_send())  # before the loop tells of the answer
        assert await made.answer(number) == (413, b"large")
    assert rig.ledger.failed() == []


async def in_clear(port: int, key: Key, _route: Route) -> Upstream:
    """A connection without TLS, whose bytes the test writes by hand."""
    link = Link()
    await asyncio.get_running_loop().create_connection(lambda: link, "127.0.0.1", port)
    return Upstream(key=key, link=link, server=connection.Server(address=(key.host, key.port)))


async def test_an_upload_to_be_held_has_its_limit(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    number = await made.request("POST", "/a", end=False)
    with suppress(H2Error):  # the stream may end while it still sends
        for _ in range(8):
            await made.data(number, b"x" * MEGABYTE)
    assert await made.code(number) == (413, "body-too-large")
    assert rig.log.heads == 0
    assert rig.ledger.states == {}


async def test_trailers_of_a_request_are_refused(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    number = await made.request("POST", "/a", end=False)
    await made.data(number, b"body")
    made.h2.send_headers(number, [("x-more", "1")], end_stream=True)
    await made.flush()
    assert await made.code(number) == (400, "malformed")
    assert rig.log.requests == []


async def test_a_body_to_be_held_that_trickles_does_not_keep_its_memory_for_ever(
    upstream: Destination, upstream_roots: str
) -> None:
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, request=0.3)) as rig:
        rig.engine.verdict = HOLD
        made = await agent(rig)
        number = await made.request("POST", "/a", end=False)

        async def trickle() -> None:
            while True:
                await made.data(number, b"x")
                await asyncio.sleep(0.02)  # the pace of this client

        trickling = asyncio.create_task(trickle())
        await until(rig.ledger.decided)
        trickling.cancel()
        assert rig.ledger.decided() == [("error", "abandoned")]
        assert rig.guard.services.memory.taken == 0


async def test_a_defect_after_the_hooks_ends_the_request_and_not_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: Http2Forward, _body: bytes | None) -> None:
        raise RuntimeError("made to fail")

    made = await agent(rig)
    with monkeypatch.context() as patched:
        patched.setattr(Http2Forward, "begin", fail)
        number = await made.request("GET", "/a")
        await made.until(lambda: number in made.resets)
    assert made.resets[number] == ErrorCodes.INTERNAL_ERROR
    await until(rig.ledger.failed)
    assert (await made.answer(await made.request("GET", "/b")))[0] == 200
