"""Destinations that speak HTTP/2, as gRPC does (TRAPS 1, 11, 16, 25)."""

import asyncio
import ssl
from functools import partial

import pytest
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes

from firewall.audit.entry import Event
from firewall.egress import Route
from tests.gateway.http2_agent import agent
from tests.gateway.rig import HOLD, RawUpstream, Rig, until
from tests.gateway.test_engine import fails, hooks_with

MEGABYTE = 1 << 20


GRPC = ((":status", "200"), ("content-type", "application/grpc"), ("x-aaf-decision", "allow"))


class Destination:
    """Echoes each piece of a body at once, as a bidirectional stream would, and ends with trailers."""

    def __init__(self) -> None:
        self.heads: list[dict[str, str]] = []
        self.connections = 0
        self.refuse: ErrorCodes | None = None
        self.answers = True
        self.trailers_only = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        writer.write(h2.data_to_send())
        while data := await reader.read(65536):
            for event in h2.receive_data(data):
                match event:
                    case events.RequestReceived():
                        self.heads.append(dict(event.headers))  # type: ignore[arg-type]
                        if self.refuse is not None:
                            h2.reset_stream(event.stream_id, self.refuse)
                        elif self.trailers_only:
                            h2.send_headers(event.stream_id, [(":status", "200"), ("grpc-status", "12")], end_stream=True)
                        elif self.answers:
                            h2.send_headers(
                                event.stream_id,
                                [(":status", "200"), ("content-type", "application/grpc"), ("x-aaf-decision", "allow")],
                            )
                    case events.DataReceived():
                        h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        if event.data and self.answers:
                            h2.send_data(event.stream_id, event.data)
                    case events.StreamEnded() if self.refuse is None and self.answers and not self.trailers_only:
                        h2.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
            writer.write(h2.data_to_send())
            await writer.drain()


@pytest.fixture
def grpc_context(raw_context: ssl.SSLContext) -> ssl.SSLContext:
    raw_context.set_alpn_protocols(["h2"])
    return raw_context


def call(path: str = "/pkg.Service/Method") -> list[tuple[str, str]]:
    return [
        (":method", "POST"), (":scheme", "https"), (":authority", "raw.test"), (":path", path),
        ("content-type", "application/grpc"), ("te", "trailers"),
    ]  # fmt: skip


async def test_a_bidirectional_stream_passes_piece_by_piece(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    """TRAPS 25."""
    made = Destination()
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        number = await client.raw(call(), end=False)
        for piece in (b"one", b"two", b"three"):
            await client.data(number, piece)
            await client.until(partial(client.got, number, piece))
        assert made.heads[0]["te"] == "trailers"
        await client.data(number, b"", end=True)
        assert await client.answer(number) == (200, b"onetwothree")
        assert client.trailers[number] == {"grpc-status": "0"}
        assert "x-aaf-decision" not in client.heads[number]
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    completed = rig.ledger.fields(Event.ACTION_COMPLETED)[0]
    assert (completed["request_bytes"], completed["response_bytes"]) == (11, 11)


@pytest.mark.parametrize("ended", [True, False], ids=["after its message", "before its message has ended"])
async def test_an_answer_of_trailers_alone_stays_one(rig: Rig, grpc_context: ssl.SSLContext, ended: bool) -> None:
    """gRPC over HTTP/2, "Trailers-Only": clients look for the status of a call that failed in a head that ends the stream."""
    made = Destination()
    made.trailers_only = True
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        number = await client.raw(call(), end=ended)
        assert await client.answer(number) == (200, b"")
        assert client.heads[number]["grpc-status"] == "12"
        assert number not in client.bodies  # not even an empty DATA frame
        if not ended:
            await client.until(lambda: client.resets.get(number) == ErrorCodes.NO_ERROR)
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))


async def test_the_requests_of_one_agent_share_a_connection(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    made = Destination()
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        for client in (await agent(rig, "raw.test"), await agent(rig, "raw.test")):
            assert (await client.answer(await client.raw(call())))[0] == 200
            numbers = [await client.raw(call()) for _ in range(10)]
            for number in numbers:
                assert (await client.answer(number))[0] == 200
        assert made.connections == 1


async def test_a_held_call_is_sent_whole_once_approved(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    made = Destination()
    rig.engine.verdict = HOLD
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        number = await client.raw(call(), end=False)
        await client.data(number, b"message", end=True)
        await rig.held()
        assert made.heads == []
        rig.approve()
        assert await client.answer(number) == (200, b"message")


async def test_a_call_that_the_destination_resets_is_a_502_on_record(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    made = Destination()
    made.refuse = ErrorCodes.REFUSED_STREAM
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        assert await client.code(await client.raw(call())) == (502, "upstream-unreachable")
    await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["upstream-unreachable"]


async def test_a_client_that_resets_its_call_ends_it_at_the_destination(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    made = Destination()
    made.answers = False
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        number = await client.raw(call())
        await until(lambda: made.heads)
        client.h2.reset_stream(number, ErrorCodes.CANCEL)
        await client.flush()
        await until(lambda: rig.ledger.failed())
        assert rig.ledger.failed() == ["abandoned"]
        made.answers = True
        assert (await client.answer(await client.raw(call())))[0] == 200  # the shared connection is good for the next


async def test_a_connection_that_is_shared_is_locked_for_each_request(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    """The second lock (TRAPS 1) holds where nothing is dialled any more."""
    made = Destination()
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        assert (await client.answer(await client.raw(call())))[0] == 200
        rig.gateway.hooks = hooks_with(rig, server_connect=fails)
        assert await client.code(await client.raw(call())) == (502, "upstream-unreachable")
        assert len(made.heads) == 1


async def test_a_connection_is_shared_for_the_address_alone_that_it_was_dialled_at(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    """TRAPS 16: the name leads elsewhere by now, so that is where it goes."""
    made = Destination()
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        assert (await client.answer(await client.raw(call())))[0] == 200
        rig.resolver.routes["raw.test"] = Route(addresses=("127.0.0.2",), port=destination.port, exempt=True)
        assert await client.code(await client.raw(call())) == (502, "upstream-unreachable")  # nobody is there
        assert (made.connections, len(made.heads)) == (1, 1)
        assert [each["address"] for each in rig.ledger.fields(Event.ACTION_DECIDED)] == ["127.0.0.1", "127.0.0.2"]


class Pouring(Destination):
    """Sends a gigabyte to `/pour`, as its windows allow; `sent` of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        writer.write(h2.data_to_send())
        pouring = 0
        while data := await reader.read(65536):
            for event in h2.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    poured = (":path", "/pour") in [(str(name), str(value)) for name, value in event.headers or ()]
                    pouring = event.stream_id if poured else pouring
                    h2.send_headers(event.stream_id, [(":status", "200")], end_stream=not poured)
            while pouring and self.sent < 1 << 30:
                size = min(h2.local_flow_control_window(pouring), h2.max_outbound_frame_size)
                if size <= 0:
                    break
                h2.send_data(pouring, bytes(size))
                self.sent += size
            writer.write(h2.data_to_send())
            await writer.drain()


async def test_a_client_that_takes_no_more_stops_a_destination_that_speaks_http_2(rig: Rig, grpc_context: ssl.SSLContext) -> None:
    """TRAPS 11. Requests beside it go on."""
    made = Pouring()
    async with RawUpstream(made.serve, tls=grpc_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        client = await agent(rig, "raw.test")
        client.gives_windows = False
        number = await client.raw(call("/pour"))
        await client.until(lambda: len(client.bodies.get(number, b"")) == 65_535)  # all that its window takes
        for _ in range(20):
            assert (await client.answer(await client.raw(call("/beside"))))[0] == 200
        seen = made.sent
        for _ in range(20):
            assert (await client.answer(await client.raw(call("/beside"))))[0] == 200
        assert made.sent == seen < MEGABYTE
