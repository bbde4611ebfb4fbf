"""Hosts that are passed through: judged at CONNECT, and then nothing but the ClientHello is looked at (TRAPS 1 to 26)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from addons.arrest import Arrest
from addons.authenticate import Authenticate
from addons.guard import PASSED_THROUGH
from addons.passage import Step
from addons.services import Limits
from firewall.audit.entry import Event
from firewall.backends.resolver import SystemResolver
from firewall.client_hello import LIMIT
from firewall.egress import Destinations, Route
from gateway.message import HEAD_LIMIT
from gateway.through import Through
from gateway.timeouts import Phase
from tests.e2e.upstream import Upstream
from tests.firewall.hellos import ECH, by_openssl, hello
from tests.gateway.rig import ALLOW, DENY, HOLD, PATIENT, RawUpstream, Rig, Wire, basic, inner, running, until
from tests.gateway.test_engine import fails, hooks_with
from tests.gateway.test_keepalive import ASKS, asks
from tests.gateway.test_timeouts import black_hole

PASSED = Destinations(pass_through=("pinned.test", "up.test"))


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.revisions.destinations = PASSED
    return rig


def connect(host: str = "pinned.test", port: int = 443, headers: str = "") -> bytes:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{basic()}{headers}\r\n".encode()


@asynccontextmanager
async def destination(
    rig: Rig, behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
) -> AsyncIterator[RawUpstream]:
    """`pinned.test`. By itself it keeps what comes and says nothing."""

    async def keep(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            raw.received += data

    raw = RawUpstream(behave or keep)
    async with raw.serving():
        rig.lead("pinned.test", raw.port)
        yield raw


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def tunnel(rig: Rig, host: str = "pinned.test") -> Wire:
    return await rig.tunnel(host, tls=False)


async def test_the_client_sees_the_destinations_own_certificate_and_the_request_is_not_read(rig: Rig, upstream_roots: str) -> None:
    wire = await tunnel(rig, "up.test")
    await wire.writer.start_tls(ssl.create_default_context(cafile=upstream_roots), server_hostname="up.test")
    assert (await wire.ask(inner("/secret"))).body == b"reached /secret"
    await wire.close()
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    (decided,) = rig.ledger.fields(Event.ACTION_DECIDED)
    assert {key: decided[key] for key in ("effect", "name", "kind", "risk", "method", "host", "port", "opaque", "address")} == {
        "effect": "allow", "name": "http:CONNECT", "kind": "unknown", "risk": "critical", "method": "CONNECT", "host": "up.test",
        "port": 443, "opaque": True, "address": "127.0.0.1",
    }  # fmt: skip
    assert [asked["action"]["canonical_path"] for asked in rig.engine.asked] == [""]
    assert rig.log.requests[0].path == "/secret"


async def test_every_byte_is_passed_on_and_counted(rig: Rig) -> None:
    async with destination(rig, echo) as there:
        wire = await tunnel(rig)
        first = hello()
        await wire.send(first)
        assert await wire.reader.readexactly(len(first)) == first
        await wire.send(b"\x00\xff not TLS at all")
        assert await wire.reader.readexactly(17) == b"\x00\xff not TLS at all"
        await wire.close()
        await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
        (completed,) = rig.ledger.fields(Event.ACTION_COMPLETED)
        assert (completed["request_bytes"], completed["response_bytes"]) == (len(first) + 17, len(first) + 17)
        assert there.connections == 1
    assert [sorted(draft.parts) for draft in rig.ledger.drafts if draft.event is Event.ACTION_COMPLETED] == [[]]


async def test_a_hello_in_the_same_packet_as_its_connect_is_taken(rig: Rig) -> None:
    async with destination(rig, echo):
        wire = await rig.connect()
        assert (await wire.ask(connect() + hello(), head_only=True)).status == 200
        assert await wire.reader.readexactly(len(hello())) == hello()


async def test_a_hello_that_comes_byte_by_byte_is_taken(rig: Rig) -> None:
    async with destination(rig, echo):
        wire = await tunnel(rig)
        for byte in hello():
            await wire.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await wire.reader.readexactly(len(hello())) == hello()


CLOSED = {
    "another name": (hello("other.test"), "misdirected"),
    "another name in front of an encrypted one": (hello("public.test", (ECH, b"inner")), "misdirected"),
    "a name below": (hello("a.pinned.test"), "misdirected"),
    "no name": (by_openssl(""), "malformed"),
    "plain HTTP": (inner("/", host="pinned.test"), "malformed"),
    "one letter": (b"G", "malformed"),
    "an ssh greeting": (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed"),
}


@pytest.mark.parametrize(("data", "code"), CLOSED.values(), ids=CLOSED.keys())
async def test_what_is_not_tls_to_that_name_is_closed_and_nothing_is_dialled(rig: Rig, data: bytes, code: str) -> None:
    async with destination(rig) as there:
        wire = await tunnel(rig)
        await wire.send(data)
        assert await wire.rest() == b""
        assert there.connections == 0
    await until(rig.ledger.failed)
    assert rig.ledger.decided() == [("allow", None)]
    assert rig.ledger.failed() == [code]


async def test_a_denied_host_is_refused_at_connect_and_not_resolved(rig: Rig) -> None:
    rig.engine.verdict = DENY
    answer = await rig.ask(connect(), head_only=True)
    assert (answer.status, answer.headers["x-aaf-decision"]) == (403, "deny")
    assert rig.ledger.decided() == [("deny", "policy")]
    assert rig.resolver.asked == []


async def test_an_address_that_is_refused_ends_it(rig: Rig) -> None:
    rig.resolver.routes["pinned.test"] = Route(addresses=("127.0.0.1",), port=443)
    assert (await rig.ask(connect(), head_only=True)).status == 403
    assert rig.ledger.decided() == [("deny", "address")]


async def test_without_a_credential_there_is_no_tunnel(rig: Rig) -> None:
    answer = await rig.ask(b"CONNECT pinned.test:443 HTTP/1.1\r\nHost: pinned.test:443\r\n\r\n", head_only=True)
    assert answer.status == 407
    assert rig.engine.asked == []


async def test_what_cannot_be_recorded_does_not_leave(rig: Rig) -> None:
    rig.ledger.refuses = Event.ACTION_DECIDED
    async with destination(rig) as there:
        assert (await rig.ask(connect(), head_only=True)).status == 503
        assert there.connections == 0


async def test_a_hold_is_approved_while_the_connect_waits(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    async with destination(rig, echo) as there:
        wire = await rig.connect()
        await wire.send(connect())
        await rig.held()
        assert there.connections == 0
        rig.approve()
        assert (await wire.answer(head_only=True)).status == 200
        await wire.send(hello())
        assert await wire.reader.readexactly(len(hello())) == hello()
    assert [type(change).__name__ for change in rig.ledger.changes if change is not None] == ["OpenApproval", "SpendGrant"]


async def test_a_hold_that_nobody_decides_is_answered_with_503(upstream: Upstream, upstream_roots: str) -> None:
    async with running(upstream, roots=upstream_roots, limits=Limits(hold_seconds=0.05)) as rig:
        rig.revisions.destinations, rig.engine.verdict = PASSED, HOLD
        rig.lead("pinned.test", 1)
        answer = await rig.ask(connect(), head_only=True)
        assert (answer.status, answer.headers["x-aaf-decision"]) == (503, "pending")
        assert "retry-after" in answer.headers
        assert rig.ledger.decided() == [("pending", "pending")]


async def test_the_same_connect_has_the_same_digest_whatever_its_head_says_besides(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    rig.lead("pinned.test", 1)
    wires = [await rig.connect() for _ in range(2)]
    for number, wire in enumerate(wires):
        await wire.send(connect(headers=f"X-Number: {number}\r\n"))
        await rig.held(number + 1)
    assert len({change.digest for change in rig.ledger.changes}) == 1


async def test_a_client_that_leaves_while_its_connect_is_held_is_noticed(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    rig.lead("pinned.test", 1)
    wire = await rig.connect()
    await wire.send(connect())
    await rig.held()
    await wire.abort()
    await until(lambda: rig.ledger.decided() == [("pending", "client-left")])


async def test_a_policy_that_passes_the_host_through_no_longer_denies(rig: Rig) -> None:
    rig.lead("pinned.test", 1)
    rig.engine.gate.clear()
    wire = await rig.connect()
    await wire.send(connect())
    await until(lambda: rig.engine.asked)
    rig.revisions.destinations = Destinations()
    rig.engine.gate.set()
    assert (await wire.answer(head_only=True)).status == 403
    assert rig.ledger.decided() == [("deny", "policy")]


async def test_a_disabled_agents_tunnel_is_closed(rig: Rig) -> None:
    async with destination(rig, echo):
        wire = await tunnel(rig)
        await wire.send(hello())
        await wire.reader.readexactly(len(hello()))
        rig.agents.disable()
        assert await wire.rest() == b""
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))


async def test_a_dead_peer_of_an_open_tunnel_is_noticed_by_the_kernel(rig: Rig) -> None:
    """No time limit ends what may be silent for days (TRAPS 18)."""
    async with destination(rig, echo):
        wire = await tunnel(rig)
        await wire.send(hello())
        await wire.reader.readexactly(len(hello()))
        (session,) = rig.gateway.sessions()
        assert isinstance(session.stage, Through)
        upstream = session.stage._upstream
        assert upstream is not None
        assert [asks(link.socket) for link in (session.link, upstream.link)] == [ASKS, ASKS]


async def test_a_destination_that_says_nothing_and_ends_is_a_failure(rig: Rig) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with destination(rig, leave):
        wire = await tunnel(rig)
        await wire.send(hello())
        assert await wire.rest() == b""
    await until(lambda: rig.ledger.failed() == ["upstream-unreachable"])


async def test_a_destination_that_cannot_be_reached_is_a_failure(rig: Rig) -> None:
    async with destination(rig):
        pass  # its port is free again
    wire = await tunnel(rig)
    await wire.send(hello())
    assert await wire.rest() == b""
    await until(lambda: rig.ledger.failed() == ["upstream-unreachable"])


async def test_a_client_that_leaves_before_the_destination_answered_has_abandoned_it(rig: Rig) -> None:
    async with destination(rig) as there:
        wire = await tunnel(rig)
        await wire.send(hello())
        await until(lambda: bytes(there.received) == hello())
        await wire.close()
        await until(lambda: rig.ledger.failed() == ["abandoned"])
    assert rig.gateway.sessions() == []


async def test_what_the_destination_sent_before_it_ended_reaches_the_client(rig: Rig) -> None:
    sent = b"x" * 5_000_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(sent)
        await writer.drain()

    async with destination(rig, answer):
        wire = await tunnel(rig)
        await wire.send(hello())
        assert await wire.rest() == sent
    await until(lambda: [each["response_bytes"] for each in rig.ledger.fields(Event.ACTION_COMPLETED)] == [len(sent)])


async def test_on_port_80_nothing_is_passed_through(rig: Rig) -> None:
    wire = await rig.tunnel("up.test", 80, tls=False)
    assert (await wire.ask(inner("/a"))).body == b"reached /a"
    assert [asked["action"]["name"] for asked in rig.engine.asked] == ["http:GET"]


async def test_a_host_that_is_not_named_is_opened_as_ever(rig: Rig) -> None:
    rig.revisions.destinations = replace(PASSED, pass_through=("pinned.test",))
    wire = await rig.tunnel("up.test")
    assert (await wire.ask(inner("/a"))).body == b"reached /a"
    assert "opaque" not in rig.ledger.fields(Event.ACTION_DECIDED)[0]


async def test_a_hello_that_does_not_come_ends_the_tunnel(upstream: Upstream, upstream_roots: str) -> None:
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, head=0.05)) as rig:
        rig.revisions.destinations = PASSED
        rig.lead("pinned.test", 1)
        wire = await tunnel(rig)
        await wire.send(hello()[:20])
        assert await wire.rest() == b""
        assert rig.ledger.failed() == ["abandoned"]


# --- TRAPS 1: an addon that raises lets the request through ------------------------------------------------------------


@pytest.mark.parametrize("step", [Arrest, Authenticate, *PASSED_THROUGH], ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_tunnel(rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "__call__", fails)
    rig.engine.verdict = HOLD if step.name == "hold" else ALLOW
    async with destination(rig) as there:
        answer = await rig.ask(connect() + hello(), head_only=True)
        assert (answer.status, answer.headers["x-aaf-decision"]) == (503, "error")
        assert there.connections == 0


@pytest.mark.parametrize("hook", ["http_connect", "server_connect"])
async def test_a_hook_that_raises_ends_the_tunnel_and_nothing_is_dialled(rig: Rig, hook: str) -> None:
    rig.gateway.hooks = hooks_with(rig, **{hook: fails})
    async with destination(rig) as there:
        wire = await rig.connect()
        await wire.send(connect() + hello())
        assert await wire.rest() in (b"", b"HTTP/1.1 200 Connection established\r\n\r\n")
        assert there.connections == 0


# --- TRAPS 2, 4, 15, 22: what comes before and behind the CONNECT ----------------------------------------------------------


@pytest.mark.parametrize("framing", ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_a_body_on_connect_is_refused(rig: Rig, framing: str) -> None:
    async with destination(rig) as there:
        answer = await rig.ask(connect(headers=framing) + b"hello")
        assert (answer.status, answer.code) == (400, "malformed")
        assert there.connections == 0


async def test_a_head_without_end_is_refused(rig: Rig) -> None:
    wire = await rig.connect()
    answer = await wire.ask(connect()[:-2] + b"X-Long: " + b"x" * HEAD_LIMIT)
    assert (answer.status, answer.code) == (431, "head-too-large")
    assert rig.resolver.asked == []


async def test_a_hello_without_end_is_closed(rig: Rig) -> None:
    async with destination(rig) as there:
        wire = await tunnel(rig)
        await wire.send(b"\x16\x03\x01\x3f\xff\x01\x00\xff\xff" + bytes(LIMIT))
        assert await wire.rest() == b""
        assert there.connections == 0
    assert rig.ledger.failed() == ["malformed"]


# --- TRAPS 3, 11: who does not read -----------------------------------------------------------------------------------------


async def test_what_is_sent_behind_a_held_connect_does_not_gather(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    rig.lead("pinned.test", 1)
    wire = await rig.connect()
    await wire.send(connect())
    await rig.held()
    (session,) = rig.gateway.sessions()
    sending = asyncio.create_task(wire.send(bytes(64 << 20)))
    await until(lambda: session.link.held)
    assert not sending.done()
    await wire.abort()
    with suppress(ConnectionError):
        await sending
    await rig.held(0)  # that the client left is noticed although nothing is read from it


async def test_a_destination_that_does_not_read_stops_the_client(rig: Rig) -> None:
    reads = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reads.wait()
        while await reader.read(65536):
            pass

    async with destination(rig, wait):
        wire = await tunnel(rig)
        await wire.send(hello())
        (session,) = rig.gateway.sessions()
        await until(lambda: session.phase is Phase.OPEN)
        sending = asyncio.create_task(wire.send(bytes(64 << 20)))
        await until(lambda: session.link.held)
        assert not sending.done()
        reads.set()
        await sending


async def test_a_client_that_does_not_read_stops_the_destination(rig: Rig) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    async with destination(rig, pour):
        wire = await tunnel(rig)
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(hello())
        (session,) = rig.gateway.sessions()
        assert isinstance(session.stage, Through)
        through = session.stage
        await until(lambda: through._upstream is not None and through._upstream.link.held)
        assert session.link.backlog < 1 << 20
        await wire.abort()
        await until(lambda: not len(rig.gateway))


# --- TRAPS 8, 9, 16: the way to the destination -----------------------------------------------------------------------------


async def test_nothing_is_dialled_before_the_decision_is_recorded(rig: Rig) -> None:
    async with destination(rig, echo) as there:
        rig.engine.gate.clear()
        rig.ledger.gate.clear()
        wire = await rig.connect()
        await wire.send(connect() + hello())
        await until(lambda: rig.engine.asked)
        assert (there.connections, rig.resolver.asked) == (0, [])
        rig.engine.gate.set()
        await until(lambda: rig.resolver.asked)
        assert there.connections == 0
        rig.ledger.gate.set()
        assert (await wire.answer(head_only=True)).status == 200
        assert await wire.reader.readexactly(len(hello())) == hello()
        assert there.connections == 1


async def test_nothing_of_the_connect_reaches_the_destination(rig: Rig) -> None:
    async with destination(rig) as there:
        wire = await tunnel(rig)
        await wire.send(hello())
        await until(lambda: len(there.received) >= len(hello()))
        await wire.close()
        assert bytes(there.received) == hello()


async def test_a_connection_that_was_passed_through_carries_nothing_else(rig: Rig) -> None:
    async with destination(rig, echo) as there:
        for number in (1, 2):
            wire = await tunnel(rig)
            await wire.send(hello())
            assert await wire.reader.readexactly(len(hello())) == hello()
            await wire.close()
            await until(lambda: not len(rig.gateway))
            assert (there.connections, len(rig.gateway.pool)) == (number, 0)


# --- TRAPS 17: a 403 at CONNECT loses its body ------------------------------------------------------------------------------


async def test_a_refusal_at_connect_names_its_rule_and_its_action_in_the_reason_phrase(rig: Rig) -> None:
    rig.engine.verdict = DENY
    answer = await rig.ask(connect(), head_only=True)
    assert "denied" in answer.reason
    assert answer.headers["x-aaf-action"] in answer.reason


# --- TRAPS 18: time ------------------------------------------------------------------------------------------------------


async def test_a_destination_that_does_not_accept_ends_the_tunnel(upstream: Upstream, upstream_roots: str) -> None:
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, connect=0.1)) as rig:
        rig.revisions.destinations = PASSED
        with black_hole() as port:
            rig.lead("pinned.test", port)
            wire = await tunnel(rig)
            await wire.send(hello())
            assert await wire.rest() == b""
            await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed()[0] in ("upstream-timeout", "abandoned")


# --- TRAPS 23, 26: where it leads ----------------------------------------------------------------------------------------


async def test_a_socket_of_our_own_is_refused_although_the_policy_names_its_range(rig: Rig) -> None:
    ports = frozenset({443, rig.port})
    rig.revisions.destinations = replace(PASSED, ports=ports, allow_private=("127.0.0.0/8",))
    rig.services.own_sockets.ours.add(("127.0.0.1", rig.port))  # type: ignore[attr-defined]
    rig.resolver.routes["pinned.test"] = Route(addresses=("127.0.0.1",), port=rig.port)
    assert (await rig.ask(connect(port=rig.port), head_only=True)).status == 403
    assert rig.ledger.decided() == [("deny", "address")]


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.88.99.1", 403), ("168.63.129.16", 403), ("169.254.169.254", 403), ("010.0.0.1", 400), ("0000127.0.0.1", 400)],
)
async def test_an_address_that_only_looks_public_is_refused(host: str, status: int) -> None:
    async with running(real_resolver=SystemResolver()) as rig:
        rig.revisions.destinations = Destinations(pass_through=(host,))
        assert (await rig.ask(connect(host), head_only=True)).status == status
        assert rig.engine.asked == []
