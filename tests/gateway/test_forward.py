"""Towards the destination: what is tried again and what is never, which connections are used again, which answers are refused."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest

from firewall.audit.entry import Event
from firewall.egress import Route
from gateway.forward import INTERIM_LIMIT
from gateway.link import Link
from gateway.message import HEAD_LIMIT
from gateway.pool import Key, Upstream
from tests.gateway.rig import HOLD, RawUpstream, Rig, basic, inner, plain, until
from tests.gateway.test_engine import fails, hooks_with
from tests.gateway.test_websocket import WEBSOCKET

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Fickle:
    """A destination that answers the first request of each connection, and ends the connection when the second has come. `then`:
    what it says to that one before."""

    def __init__(self, then: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.raw = RawUpstream(self._behave)
        self._then = then

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._then)
        await writer.drain()


def saying(answer: bytes) -> Behaviour:
    """Answers every request on a connection with just this."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return say


async def ask_twice(rig: Rig, behave: Behaviour, *, method: str = "GET", headers: str = "", body: bytes = b"") -> int:
    """Two requests, one after another. Returns how many connections they took."""
    async with RawUpstream(behave).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        for _ in range(2):
            await wire.ask(plain("/", host="raw.test", method=method, headers=headers, body=body), head_only=method == "HEAD")
        return destination.connections


# --- once more, or never -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_what_is_idempotent_is_asked_once_more_when_a_used_connection_ends_without_a_byte(rig: Rig, method: str) -> None:
    fickle = Fickle()
    async with fickle.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        assert (await wire.ask(plain("/", host="raw.test", method=method), head_only=method == "HEAD")).status == 200
        assert (destination.connections, len(fickle.heads)) == (2, 3)
    await until(lambda: len(rig.ledger.fields(Event.ACTION_COMPLETED)) == 2)


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", ""), ("PATCH", ""), ("PURGE", ""), ("GET", WEBSOCKET)],
    ids=["POST", "PATCH", "a method that nobody knows", "a websocket"],
)
async def test_what_is_not_is_never(rig: Rig, method: str, headers: str) -> None:
    fickle = Fickle()
    async with fickle.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        answer = await wire.ask(plain("/", host="raw.test", method=method, headers=headers))
        assert (answer.status, answer.code) == (502, "upstream-unreachable")
        assert (destination.connections, len(fickle.heads)) == (1, 2)


async def test_what_streamed_by_is_never_asked_once_more(rig: Rig) -> None:
    fickle = Fickle()
    async with fickle.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        assert (await wire.ask(plain("/", host="raw.test", method="PUT", body=b"body"))).status == 502
        assert destination.connections == 1


async def test_what_was_approved_is_sent_once(rig: Rig) -> None:
    fickle = Fickle()
    async with fickle.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        rig.engine.verdict = HOLD
        await wire.send(plain("/", host="raw.test"))
        await rig.held()
        rig.approve()
        assert (await wire.answer()).status == 502
        assert (destination.connections, len(fickle.heads)) == (1, 2)


@pytest.mark.parametrize("then", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["a part of a head", "an interim answer"])
async def test_what_got_some_answer_is_not_asked_once_more(rig: Rig, then: bytes) -> None:
    fickle = Fickle(then)
    async with fickle.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        assert (await wire.ask(plain("/", host="raw.test"))).status == 502
        assert destination.connections == 1


async def test_it_is_once_more_and_not_for_ever(rig: Rig) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if destination.connections == 1:
            writer.write(OK)
            await reader.readuntil(b"\r\n\r\n")

    async with RawUpstream(refuse).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).status == 200
        assert (await wire.ask(plain("/", host="raw.test"))).status == 502
        assert destination.connections == 2


async def test_a_fresh_connection_that_ends_without_a_byte_is_not_tried_again(rig: Rig) -> None:
    async def leave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with RawUpstream(leave).serving() as destination:
        rig.lead("raw.test", destination.port)
        answer = await rig.ask(plain("/", host="raw.test"))
        assert (answer.status, answer.code, destination.connections) == (502, "upstream-unreachable", 1)


# --- which connections are used again ----------------------------------------------------------------------------------


async def test_a_connection_whose_answer_ended_exactly_is_used_again(rig: Rig) -> None:
    assert await ask_twice(rig, saying(OK)) == 1


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        (OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", ""),
        (OK + b"\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 2\r\n\r\nok", ""),
        (OK, "Authorization: NTLM TlRMTVNTUAAB\r\n"),
        (OK, "Authorization: Basic eDp5\r\nAuthorization: Negotiate YII\r\n"),
    ],
    ids=[
        "an answer too much", "a line too much", "close", "HTTP/1.0", "asks to bind the connection", "binds the connection",
        "binds the connection with its second credential",
    ],
)  # fmt: skip
async def test_any_other_is_not(rig: Rig, answer: bytes, headers: str) -> None:
    assert await ask_twice(rig, saying(answer), headers=headers) == 2


async def test_a_body_after_the_answer_to_head_is_nobodys_answer(rig: Rig) -> None:
    assert await ask_twice(rig, saying(OK), method="HEAD") == 2


async def test_a_connection_on_which_a_request_was_cut_is_not_used_again(rig: Rig) -> None:
    """The answer came before the whole request had left."""
    async with RawUpstream(saying(OK)).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        head = f"POST http://raw.test/ HTTP/1.1\r\nHost: raw.test\r\n{basic()}Content-Length: 100\r\n\r\n"
        assert (await wire.ask(head.encode())).body == b"ok"
        await wire.send(bytes(100))
        assert (await wire.ask(plain("/", host="raw.test"))).body == b"ok"
        assert destination.connections == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_a_connection_is_used_again_for_the_address_alone_that_it_was_dialled_at(
    rig: Rig, raw_context: ssl.SSLContext, tls: bool
) -> None:
    """TRAPS 16: the name leads elsewhere by now, so that is where it goes."""
    async with RawUpstream(saying(OK), tls=raw_context if tls else None).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await (rig.tunnel("raw.test") if tls else rig.connect())
        request = (inner if tls else plain)("/", host="raw.test")
        assert (await wire.ask(request)).body == b"ok"
        rig.resolver.routes["raw.test"] = Route(addresses=("127.0.0.2",), port=destination.port, exempt=True)
        answer = await wire.ask(request)
        assert (answer.status, answer.code) == (502, "upstream-unreachable")  # nobody is there
        assert destination.connections == 1


async def test_a_connection_that_is_used_again_is_locked_for_each_request(rig: Rig) -> None:
    """The second lock (TRAPS 1) holds where nothing is dialled any more."""
    async with RawUpstream(saying(OK)).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        assert (await wire.ask(plain("/", host="raw.test"))).body == b"ok"
        rig.gateway.hooks = hooks_with(rig, server_connect=fails)
        answer = await wire.ask(plain("/", host="raw.test"))
        assert (answer.status, answer.code) == (502, "upstream-unreachable")
        assert destination.connections == 1


# --- answers that are refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a\nX: b\r\n\r\n",
        b"HTTP/1.1 200 O\rK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT,
        b"HTTP/1.1 102 Processing\r\n\r\n" * (INTERIM_LIMIT + 1),
    ],
    ids=[
        "no HTTP", "no status", "two lengths", "a length and chunks", "another coding", "a bare LF", "a bare CR",
        "a head without end", "interim answers without end",
    ],
)  # fmt: skip
async def test_an_answer_that_could_be_read_two_ways_is_a_502_on_record(rig: Rig, said: bytes) -> None:
    async with RawUpstream(saying(said)).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        while (answer := await wire.answer(head_only=True)).status == 102:
            pass
        assert (answer.status, answer.headers["x-aaf-decision"]) == (502, "error")
        await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["upstream-unreachable"]


async def test_chunks_that_go_wrong_cut_the_answer_and_are_on_record(rig: Rig) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense\r\n"
    async with RawUpstream(saying(said)).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
            await wire.answer()
        await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["upstream-unreachable"]


# --- dialling --------------------------------------------------------------------------------------------------------------------


async def test_a_connection_that_has_ended_before_it_could_be_used_is_a_502_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial = rig.gateway.dialer.dial

    async def dial_and_lose(key: Key, route: Route) -> Upstream:
        upstream = await dial(key, route)
        upstream.link.abort()
        await until(lambda: upstream.link._over)
        return upstream

    monkeypatch.setattr(rig.gateway.dialer, "dial", dial_and_lose)
    answer = await rig.ask(plain("/"))
    assert (answer.status, answer.code) == (502, "upstream-unreachable")
    await until(lambda: rig.ledger.failed())


async def test_a_defect_in_dialling_is_a_502_on_record(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_key: Key, _route: Route) -> Upstream:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(rig.gateway.dialer, "dial", fail)
    answer = await rig.ask(plain("/"))
    assert (answer.status, answer.json()["detail"]) == (502, "the destination cannot be reached: RuntimeError")
    await until(lambda: rig.ledger.failed())


async def test_a_defect_after_dialling_is_a_502_on_record(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_link: Link, _data: bytes) -> None:
        raise RuntimeError("made to fail")

    dial = rig.gateway.dialer.dial

    async def dial_spoilt(key: Key, route: Route) -> Upstream:
        upstream = await dial(key, route)
        monkeypatch.setattr(upstream.link, "write", lambda data: fail(upstream.link, data))
        return upstream

    monkeypatch.setattr(rig.gateway.dialer, "dial", dial_spoilt)
    assert (await rig.ask(plain("/"))).status == 502
    await until(lambda: rig.ledger.failed())


async def test_a_client_that_leaves_ends_the_dialling(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    dialling, ended = asyncio.Event(), asyncio.Event()

    async def wait(_key: Key, _route: Route) -> Upstream:
        dialling.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("nobody ends this wait but its cancellation")

    monkeypatch.setattr(rig.gateway.dialer, "dial", wait)
    wire = await rig.connect()
    await wire.send(plain("/"))
    await dialling.wait()
    await wire.close()
    await ended.wait()
    await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["abandoned"]


# --- backpressure --------------------------------------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_stops_the_destination(rig: Rig) -> None:
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(bytes(65536))
            written += 65536
            await writer.drain()

    size = 256 << 20
    async with RawUpstream(pour).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(plain("/", host="raw.test"))
        (session,) = rig.gateway.sessions()
        await until(lambda: session.link.congested)
        assert (await rig.ask(plain("/a"))).body == b"reached /a"
        assert session.link.backlog < 1 << 20
        assert written < size
        await wire.abort()
        await until(lambda: rig.ledger.failed())


async def test_a_destination_that_does_not_read_stops_the_client_until_it_does(rig: Rig) -> None:
    go, got = asyncio.Event(), 0

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        while got < size:
            got += len(await reader.read(1 << 20))
        writer.write(OK)

    size = 64 << 20
    async with RawUpstream(wait).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        sending = asyncio.create_task(wire.send(plain("/", host="raw.test", method="POST", body=bytes(size))))
        (session,) = rig.gateway.sessions()
        await until(lambda: session.link.held)
        go.set()
        await sending
        assert (await wire.answer()).body == b"ok"
    assert not session.link.held
