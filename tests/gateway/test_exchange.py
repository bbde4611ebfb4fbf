"""HTTP/1 towards the agent: what is refused with which words, and who may not be dialled by odd spellings (TRAPS 15, 23)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from firewall.egress import Destinations, Route
from tests.e2e.fuzz_site import reset
from tests.gateway.rig import DENY, RawUpstream, Rig, basic, inner, plain, until


def raw(line: str, *, host: str = "up.test", extra: str = "") -> bytes:
    return f"{line}\r\nHost: {host}\r\n{basic()}{extra}\r\n".encode()


@pytest.mark.parametrize(
    "line",
    [
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET / HTTP/1.1",
        "GET //127.0.0.1/ HTTP/1.1",
        "GET https://up.test/ HTTP/1.1",
        "GET ftp://up.test/ HTTP/1.1",
        "GET up.test HTTP/1.1",
        "GET http://up.test:0/ HTTP/1.1",
        "GET http://up.test:99999/ HTTP/1.1",
        "GET http://up.test:8٠/ HTTP/1.1",
        "GET http://user@up.test/ HTTP/1.1",
        "GET http://up.test\\@other.test/ HTTP/1.1",
        "CONNECT up.test:0 HTTP/1.1",
        "CONNECT up.test:4٤3 HTTP/1.1",
        "CONNECT up.test:99999 HTTP/1.1",
        "CONNECT up.test HTTP/1.1",
        "CONNECT /up.test:443 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "CONNECT 010.0.0.1:443 HTTP/1.1",
        "CONNECT 0x7f.1:443 HTTP/1.1",
    ],
)
async def test_a_target_that_could_be_read_two_ways_is_refused(rig: Rig, line: str) -> None:
    rig.resolver.routes = dict.fromkeys(["127.0.0.1", "8.0.0.1"], Route(addresses=("127.0.0.1",), port=1, exempt=True))
    answer = await rig.ask(raw(line))
    assert (answer.status, answer.headers["x-aaf-decision"]) == (400, "error")
    assert (rig.log.heads, rig.resolver.asked) == (0, [])


@pytest.mark.parametrize("target", ["*", "//127.0.0.1/", "http://up.test/", "/../x", "/a//b", "/%2e%2e/", "/a%2fb", "/%252e"])
async def test_an_odd_target_inside_a_tunnel_is_refused(rig: Rig, target: str) -> None:
    wire = await rig.tunnel()
    answer = await wire.ask(inner(target))
    assert (answer.status, answer.code) == (400, "malformed")
    assert rig.log.heads == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "loop.test", "[::ffff:7f00:1]"])
@pytest.mark.parametrize("tunnelled", [True, False])
async def test_the_proxy_cannot_be_sent_to_itself(rig: Rig, host: str, tunnelled: bool) -> None:
    rig.revisions.destinations = Destinations(ports=frozenset({80, rig.port}))
    address = {"loop.test": "127.0.0.1"}.get(host, host.strip("[]"))
    bare = {"[::ffff:7f00:1]": "::ffff:127.0.0.1"}.get(host, host.strip("[]"))
    rig.resolver.routes[bare] = Route(addresses=(address,), port=rig.port)
    before = len(rig.gateway)
    if tunnelled:
        wire = await rig.tunnel(host, rig.port, server_name="loop.test")
        answer = await wire.ask(inner("/", host=f"{host}:{rig.port}"))
        assert answer.status in {403, 421}
        if host == "loop.test":
            assert answer.code == "address"
    else:
        answer = await rig.ask(plain("/", host=f"{host}:{rig.port}"))
        assert (answer.status, answer.code) == (403, "address")
    assert len(rig.gateway) <= before + 1
    assert all(effect in {"deny", "error"} for effect, _ in rig.ledger.decided())


async def test_a_refusal_of_a_head_is_recorded_for_the_agent_of_its_tunnel(rig: Rig) -> None:
    wire = await rig.tunnel()
    answer = await wire.ask(b"GET / HTTP/1.1\r\nHost: up.test\r\nHost: up.test\r\n\r\n")
    assert (answer.status, answer.json()["detail"]) == (400, "exactly one Host is needed")
    assert answer.headers["x-aaf-action"] == rig.ledger.drafts[0].fields["action"]
    assert rig.ledger.decided() == [("error", "malformed")]
    assert await wire.rest() == b""


async def test_a_malformed_head_before_any_identity_names_no_action(rig: Rig) -> None:
    answer = await rig.ask(b"GET / HTTP/1.1\r\n\r\n")
    assert answer.status == 400
    assert "x-aaf-action" not in answer.headers
    assert rig.ledger.drafts == []


async def test_an_answer_to_an_upload_that_goes_on_ends_the_connection(rig: Rig) -> None:
    rig.engine.verdict = DENY
    wire = await rig.connect()
    await wire.send(f"POST http://up.test/ HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 1000000\r\n\r\n".encode())
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (403, "close")


async def test_a_refused_request_whose_body_was_read_keeps_the_connection(rig: Rig) -> None:
    wire = await rig.connect()
    rig.engine.verdict = DENY
    assert (await wire.ask(plain("/"))).status == 403
    assert (await wire.ask(plain("/"))).status == 403


async def test_pipelined_requests_are_judged_one_after_another(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(plain("/1") + plain("/2") + plain("/3"))
    assert [(await wire.answer()).body for _ in range(3)] == [b"reached /1", b"reached /2", b"reached /3"]
    assert len(rig.ledger.decided()) == 3


async def test_a_body_that_looks_like_a_request_stays_a_body(rig: Rig) -> None:
    smuggled = inner("/smuggled")
    wire = await rig.tunnel()
    assert (await wire.ask(inner("/echo", method="POST", body=smuggled))).json()["size"] == len(smuggled)
    assert (await wire.ask(inner("/after"))).body == b"reached /after"
    assert rig.log.paths() == ["/echo", "/after"]


async def test_a_denied_head_request_is_answered_without_a_body(rig: Rig) -> None:
    rig.engine.verdict = DENY
    wire = await rig.connect()
    await wire.send(plain("/", method="HEAD"))
    assert (await wire.answer(head_only=True)).status == 403
    rig.engine.verdict = DENY
    assert (await wire.ask(plain("/"))).status == 403  # nothing stood between the two answers


async def test_a_client_that_leaves_before_the_answer_is_on_record(rig: Rig) -> None:
    asked = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with RawUpstream(wait).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        await asked.wait()
        await wire.close()
        await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["abandoned"]


# --- answers whose end the connection is


class Endless:
    """A destination whose answer the end of the connection ends. `end` says how."""

    def __init__(self, end: Callable[[asyncio.StreamWriter], None]) -> None:
        self._end = end
        self.go = asyncio.Event()
        self.raw = RawUpstream(self._behave)

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        await self.go.wait()
        self._end(writer)


def _fin(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_an_answer_that_a_reset_ended_does_not_seem_complete(rig: Rig) -> None:
    endless = Endless(reset)
    async with endless.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        await wire.reader.readuntil(b"half of it")
        endless.go.set()
        with pytest.raises(ConnectionResetError):
            await wire.reader.read()
    assert rig.ledger.failed() == ["upstream-unreachable"]


async def test_an_answer_that_ended_well_is_complete(rig: Rig) -> None:
    endless = Endless(_fin)
    async with endless.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        endless.go.set()
        assert (await wire.rest()).endswith(b"\r\n\r\nhalf of it")
    assert rig.ledger.failed() == []


async def test_an_answer_that_a_time_limit_ended_does_not_seem_complete(rig: Rig) -> None:
    endless = Endless(_fin)
    async with endless.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        await wire.reader.readuntil(b"half of it")
        rig.gateway.patience = replace(rig.gateway.patience, response=0.001)
        with pytest.raises(ConnectionResetError):
            await wire.reader.read()
        endless.go.set()


async def test_requests_behind_the_last_answer_do_not_cost_the_client_that_answer(rig: Rig) -> None:
    big = b"x" * 3_000_000
    more = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + big)
        await more.wait()

    async with RawUpstream(answer).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test") + plain("/next", host="raw.test") * 2000)
        await wire.reader.readuntil(b"\r\n\r\n")
        more.set()
        assert await wire.reader.read() == big


# --- clients that do not read


async def test_no_further_request_is_taken_from_a_client_that_does_not_read_its_answers(rig: Rig) -> None:
    rig.engine.verdict = DENY
    wire, other = await rig.connect(), await rig.connect()
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    sending = asyncio.create_task(wire.send(plain("/") * 40_000))
    session = rig.gateway.sessions()[0]
    await until(lambda: session.link.congested)
    taken = len(rig.ledger.decided())
    for _ in range(300):
        assert (await other.ask(plain("/"))).status == 403
    assert len(rig.ledger.decided()) - taken - 300 < 100
    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(taken + 1000):
        assert (await wire.answer()).status == 403
    sending.cancel()
