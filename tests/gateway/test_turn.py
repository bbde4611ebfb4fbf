"""One request and its answer: uploads that are answered early, clients that do not read, destinations that end as they please."""

import asyncio
import socket
import tracemalloc
from dataclasses import replace

import pytest

from addons.passage import Passage
from firewall.audit.entry import Event
from firewall.egress import Route
from firewall.errors import UpstreamUnreachable
from gateway.forward import Forward
from gateway.link import Link
from gateway.pool import Key, Upstream
from gateway.timeouts import Phase
from tests.e2e.upstream import Upstream as Destination
from tests.gateway.rig import ALLOW, HOLD, PATIENT, RawUpstream, Rig, Wire, basic, plain, running, until
from tests.gateway.test_link import end_by_reset
from tests.gateway.test_websocket import WEBSOCKET

MEGABYTE = 1 << 20


def upload(length: int, *, host: str = "up.test", extra: str = "") -> bytes:
    """The head of an upload."""
    return f"POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\n{basic()}Content-Length: {length}\r\n{extra}\r\n".encode()


class Unreachable:
    """Stands in for the dialler: says that nothing can be reached, when it is told to."""

    def __init__(self) -> None:
        self.dialled = asyncio.Event()
        self.go = asyncio.Event()

    async def dial(self, _key: Key, _route: Route) -> Upstream:
        self.dialled.set()
        await self.go.wait()
        raise UpstreamUnreachable("nothing is there")


async def send_all(wire: Wire, data: bytes) -> None:
    async with asyncio.timeout(20):
        await wire.send(data)


# --- a body nobody wants -------------------------------------------------------------------------------------------------


async def test_a_client_that_uploads_to_what_cannot_be_reached_gets_rid_of_its_body_and_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = Unreachable()
    monkeypatch.setattr(rig.gateway.dialer, "dial", unreachable.dial)
    wire = await rig.connect()
    await wire.send(upload(32 * MEGABYTE))
    sending = asyncio.create_task(send_all(wire, bytes(32 * MEGABYTE)))
    await unreachable.dialled.wait()
    (session,) = rig.gateway.sessions()
    await until(lambda: session.link.held)  # no more is read ahead
    unreachable.go.set()
    await sending
    answer = await wire.answer()
    assert (answer.status, answer.code) == (502, "upstream-unreachable")


async def test_an_early_answer_to_an_upload_reaches_a_client_that_still_sends(rig: Rig) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
        await writer.drain()

    async with RawUpstream(refuse).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(upload(32 * MEGABYTE, host="raw.test"))
        answer = await wire.answer()
        assert (answer.status, answer.body) == (413, b"large")
        await send_all(wire, bytes(32 * MEGABYTE))
        assert await wire.rest() == b""


async def test_an_early_answer_is_not_lost_with_its_connection_that_is_reset_behind_it(rig: Rig) -> None:
    """A destination that does not read what it refuses ends by a reset, and a write after it takes the answer along."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        rig.lead("raw.test", server.getsockname()[1])
        wire = await rig.connect()
        await wire.send(upload(100_000, host="raw.test"))
        peer, _ = await loop.sock_accept(server)
        (session,) = rig.gateway.sessions()
        await until(lambda: session.phase is Phase.BODY)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
        end_by_reset(peer)
        session.link._deliver(b"x" * 1000)  # before the loop tells of the answer
        answer = await wire.answer()
    assert (answer.status, answer.body) == (413, b"large")
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    assert rig.ledger.failed() == []


async def test_a_destination_that_resets_in_the_middle_of_an_upload_is_a_502_on_record(rig: Rig) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with RawUpstream(leave).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(upload(100, host="raw.test") + b"half")
        answer = await wire.answer()
        assert (answer.status, answer.code) == (502, "upstream-unreachable")
        await wire.send(bytes(96))  # so little is left that the connection is kept
        assert (await wire.ask(plain("/after"))).body == b"reached /after"
    assert rig.ledger.failed() == ["upstream-unreachable"]


async def test_a_chunked_upload_that_goes_wrong_is_cut_at_the_destination_too(rig: Rig) -> None:
    got = bytearray()
    ended = asyncio.Event()

    async def take(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                got.extend(data)
        finally:
            ended.set()

    async with RawUpstream(take).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        head = f"POST http://raw.test/ HTTP/1.1\r\nHost: raw.test\r\n{basic()}Transfer-Encoding: chunked\r\n\r\n"
        await wire.send(head.encode() + b"3\r\nabc\r\n")
        await until(lambda: got.endswith(b"3\r\nabc\r\n"))
        await wire.send(b"nonsense\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "malformed")
        await ended.wait()
    assert got.endswith(b"3\r\nabc\r\n")  # no last chunk: it is not taken for whole
    await until(lambda: rig.ledger.failed())


# --- clients that do not read ----------------------------------------------------------------------------------------------


async def test_answers_do_not_gather_for_a_client_that_only_asks(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(b"".join(plain("/big") for _ in range(40)))
    (session,) = rig.gateway.sessions()
    await until(lambda: session.link.congested)
    other = await rig.connect()
    for _ in range(40):  # meanwhile others are served, and this one's requests wait
        assert (await other.ask(plain("/a"))).status == 200
    assert session.link.backlog < MEGABYTE
    assert [len((await wire.answer()).body) for _ in range(40)] == [MEGABYTE] * 40


async def test_what_is_left_of_an_answer_that_ends_the_connection_may_be_read_slowly(rig: Rig) -> None:
    wire = await rig.connect()
    (session,) = rig.gateway.sessions()

    async def big(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not session.link.backlog:
            writer.write(bytes(4096))
            await writer.drain()
            await asyncio.sleep(0)

    async with RawUpstream(big).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(plain("/", host="raw.test"))
        await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED) or rig.ledger.failed())
        assert session.link.backlog > 0
        assert session.phase is Phase.ANSWER  # counted from the last byte, and not the few seconds of a goodbye
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await wire.rest()) > MEGABYTE
    assert rig.ledger.failed() == []


@pytest.mark.parametrize("seconds", [0.3])
async def test_a_client_that_stops_reading_is_not_blamed_on_the_destination(
    upstream: Destination, upstream_roots: str, seconds: float
) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, response=seconds)) as rig:
        async with RawUpstream(pour).serving() as destination:
            rig.lead("raw.test", destination.port)
            wire = await rig.connect()
            wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(plain("/", host="raw.test"))
            await until(lambda: rig.ledger.failed())
        assert rig.ledger.failed() == ["abandoned"]


# --- held bodies ---------------------------------------------------------------------------------------------------------


async def test_a_body_that_comes_byte_by_byte_costs_no_more_than_its_bytes(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    await wire.send(upload(50_001))
    (session,) = rig.gateway.sessions()
    await until(lambda: session.phase is Phase.BODY)
    stage = session.stage
    assert stage is not None
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(50_000):
            stage.received(session.link, b"x")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 150_000
    await wire.send(b"x")
    await rig.held()
    rig.approve()
    assert (await wire.answer()).json()["size"] == 50_001


@pytest.mark.parametrize("seconds", [0.3])
async def test_a_body_to_be_held_that_trickles_does_not_keep_its_memory_for_ever(
    upstream: Destination, upstream_roots: str, seconds: float
) -> None:
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, request=seconds)) as rig:
        rig.engine.verdict = HOLD
        wire = await rig.connect()
        await wire.send(upload(MEGABYTE))
        async with asyncio.timeout(20):
            while len(rig.gateway):
                wire.writer.write(b"x")
                await asyncio.sleep(0.02)  # the pace of this client
        assert rig.ledger.decided() == [("error", "abandoned")]


async def test_a_disabled_agents_body_is_not_waited_for(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    await wire.send(upload(100) + b"half")
    (session,) = rig.gateway.sessions()
    await until(lambda: session.phase is Phase.BODY)
    rig.agents.disable()
    assert await wire.rest() == b""
    await until(lambda: not len(rig.gateway))
    assert rig.ledger.states == {}


async def test_a_body_is_sent_with_its_length_however_it_came(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    head = f"POST http://up.test/echo HTTP/1.1\r\nHost: up.test\r\n{basic()}Transfer-Encoding: chunked\r\n\r\n"
    await wire.send(head.encode() + b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
    await rig.held()
    rig.approve()
    answer = await wire.answer()
    assert (answer.json()["size"], answer.json()["headers"]["content-length"]) == (6, "6")
    assert "transfer-encoding" not in answer.json()["headers"]
    assert [seen.body for seen in rig.log.requests] == [b"abcdef"]


# --- Expect ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [ALLOW, HOLD], ids=["streamed", "held"])
async def test_a_client_that_asks_first_is_told_to_go_on_once_its_body_is_wanted(rig: Rig, verdict: object) -> None:
    rig.engine.verdict = verdict  # type: ignore[assignment]
    wire = await rig.connect()
    await wire.send(upload(4, extra="Expect: 100-continue\r\n"))
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(b"body")
    if verdict is HOLD:
        await rig.held()
        rig.approve()
    answer = await wire.answer()
    assert (answer.status, answer.json()["size"]) == (200, 4)
    assert "expect" not in answer.json()["headers"]


async def test_a_refused_client_that_asks_first_is_never_told_to_go_on(rig: Rig) -> None:
    rig.engine.available = False
    wire = await rig.connect()
    answer = await wire.ask(upload(4, extra="Expect: 100-continue\r\n"))
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert await wire.rest() == b""


# --- answers without a body ----------------------------------------------------------------------------------------------


async def told(rig: Rig, said: bytes, *, method: str = "GET", version: str = "1.1", extra: str = "") -> bytes:
    """What a client gets whose destination says just this, and of its next request on that connection, up to the end."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()

    async with RawUpstream(say).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        request = f"{method} http://raw.test/ HTTP/{version}\r\nHost: raw.test\r\n{basic()}{extra}\r\n".encode()
        await wire.send(request)
        await wire.send(f"GET http://up.test/after HTTP/1.1\r\nHost: up.test\r\n{basic()}Connection: close\r\n\r\n".encode())
        return await wire.rest()


@pytest.mark.parametrize(
    ("method", "said", "expected"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", b"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n"),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        (
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
    ],
    ids=["HEAD with a length", "HEAD chunked", "204", "204 with a length", "304", "103", "100 unasked"],
)
async def test_an_answer_ends_where_its_kind_says_and_the_next_one_is_the_next(
    rig: Rig, method: str, said: bytes, expected: bytes
) -> None:
    got = await told(rig, said, method=method)
    assert got.startswith(expected)
    after = got[len(expected) :]
    assert (after.count(b"HTTP/1.1 "), after.endswith(b"reached /after")) == (1, True)


async def test_an_answer_whose_end_is_the_connections_ends_the_clients_too(rig: Rig) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        await writer.drain()

    async with RawUpstream(say).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        assert await wire.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall there is"
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))


# --- HTTP/1.0 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize(
    ("said", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"Content-Length: 3\r\n"),
    ],
    ids=["chunked", "with a length"],
)
async def test_a_client_of_http_1_0_gets_one_answer_and_the_end(rig: Rig, said: bytes, framing: bytes, extra: str) -> None:
    """RFC 9112, section 9.3: a proxy must not keep such a connection, whatever it asks for."""
    got = await told(rig, said, version="1.0", extra=extra)
    assert got == b"HTTP/1.1 200 OK\r\n" + framing + b"Connection: close\r\n\r\nabc"


async def test_a_client_of_http_1_0_gets_no_interim_answer(rig: Rig) -> None:
    said = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    got = await told(rig, said, version="1.0")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


# --- TRAPS, Clients while a request is held -----------------------------------------------------------------------------------


async def test_a_client_hears_nothing_while_its_request_is_held(rig: Rig) -> None:
    """Some take an interim answer for the answer, others for an error."""
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    await wire.send(plain("/a", method="POST", body=b"x"))
    await rig.held()
    (session,) = rig.gateway.sessions()
    written: list[bytes] = []
    write = session.link.write

    def seen(data: bytes) -> None:
        written.append(data)
        write(data)

    session.link.write = seen  # type: ignore[method-assign]
    await rig.guard.every_second()
    rig.gateway.sweep()
    assert written == []
    rig.approve()
    answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b"reached /a")


# --- trailers --------------------------------------------------------------------------------------------------------------


async def test_trailers_are_passed_on_but_not_what_frames_a_message_sets_a_cookie_or_speaks_for_us(rig: Rig) -> None:
    said = (
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
        b"X-Sum: 1\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\nX-AAF-Decision: allow\r\nConnection: close\r\n"
        b"Set-Cookie: session=evil\r\nHost: evil.test\r\n\r\n"
    )
    got = await told(rig, said)
    body = got[: got.index(b"HTTP/1.1 200 OK", 1)]
    assert body.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")


# --- upgrades --------------------------------------------------------------------------------------------------------------


def frame(text: bytes) -> bytes:
    """A masked text frame."""
    return b"\x81" + (b"\xfe" + len(text).to_bytes(2, "big")) + bytes(4) + text


async def test_what_a_client_sent_ahead_of_its_websockets_answer_is_read_to_its_end(rig: Rig) -> None:
    wire = await rig.connect()
    rig.engine.gate.clear()
    text = b"x" * 10_000
    frames = 20
    sending = asyncio.create_task(wire.send(plain("/ws", headers=WEBSOCKET) + frame(text) * frames))
    await until(lambda: rig.gateway.sessions() and rig.gateway.sessions()[0].link.held)
    rig.engine.gate.set()
    async with asyncio.timeout(20):
        assert (await wire.answer(head_only=True)).status == 101
        for _ in range(frames):
            assert (
                await wire.reader.readexactly(4 + 5 + len(text))
                == b"\x81\x7e" + (5 + len(text)).to_bytes(2, "big") + b"echo " + text
            )
    await sending


async def test_an_upgrade_before_the_body_is_whole_is_refused(rig: Rig) -> None:
    got = bytearray()

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        got.extend(await reader.read())

    async with RawUpstream(switch).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test", headers=WEBSOCKET + "Content-Length: 10\r\n"))
        assert b"HTTP/1.1 101 " not in await wire.rest()
        await until(lambda: rig.ledger.failed())
    assert (rig.ledger.failed(), bytes(got)) == (["upgrade"], b"")


# --- whatever else goes wrong --------------------------------------------------------------------------------------------


async def test_a_defect_after_the_hooks_ends_the_connection(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: Forward, _body: bytes | None) -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(Forward, "begin", fail)
    wire = await rig.connect()
    await wire.send(plain("/"))
    assert await wire.rest() == b""
    await until(lambda: rig.ledger.failed())
    assert rig.log.heads == 0


async def test_a_passage_that_is_neither_refused_nor_released_nor_parked_ends_the_connection(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(walked: Passage, *_: object) -> object:
        class Nothing:
            def go(self) -> None:
                walked.parked = False

        return Nothing()

    monkeypatch.setattr(rig.guard, "_walk", forget)
    wire = await rig.connect()
    await wire.send(plain("/"))
    assert await wire.rest() == b""
    assert rig.log.heads == 0


async def test_what_is_pipelined_behind_an_upload_goes_on_when_an_early_answer_is_noticed_while_it_is_sent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has come, the loop has not told of it yet, and the next write of the upload looks: all in one step."""
    begun = asyncio.Event()

    async def early(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"half")
        begun.set()
        await reader.read()

    async with RawUpstream(early).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(upload(8, host="raw.test") + b"half")
        await begun.wait()
        catch_up = Link.catch_up

        def look(link: Link) -> None:
            link.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
            catch_up(link)

        monkeypatch.setattr(Link, "catch_up", look)
        await wire.send(b"rest" + plain("/next"))
        assert (await wire.answer()).body == b"early"
        monkeypatch.undo()
        async with asyncio.timeout(20):
            assert (await wire.answer()).body == b"reached /next"
