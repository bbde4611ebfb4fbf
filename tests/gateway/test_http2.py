"""HTTP/2 from agents that speak nothing else: the same path, the same rules (TRAPS 1, 3, 5, 8, 9, 14 to 20, 26)."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from addons.passage import Step
from firewall.audit.entry import Event
from firewall.backends.resolver import SystemResolver
from firewall.egress import Destinations, Route
from gateway.http2_library import WINDOW
from gateway.timeouts import Phase
from tests.attacks.frames import GOAWAY, HEADERS, PREFACE, SETTINGS, block, frame
from tests.e2e.upstream import Upstream
from tests.gateway.http2_agent import Agent, agent
from tests.gateway.rig import ALLOW, DENY, HOLD, PATIENT, RawUpstream, Rig, inner, running, until
from tests.gateway.test_engine import BEFORE_EGRESS, fails, hooks_with

MEGABYTE = 1 << 20


def get(authority: str, path: str = "/", *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path), *more]


async def test_a_client_that_offers_both_speaks_http_1(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["h2", "http/1.1"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert (await wire.ask(inner("/a"))).status == 200


async def test_a_client_that_speaks_http_2_although_http_1_was_chosen_is_understood(rig: Rig) -> None:
    """httpx with `http1=False` offers both for form's sake."""
    wire = await rig.tunnel(alpn=["http/1.1", "h2"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    made = Agent(wire.reader, wire.writer)
    made.h2.initiate_connection()
    for byte in made.h2.data_to_send():  # each in a TLS record of its own
        await wire.send(bytes([byte]))
    assert await made.answer(await made.request("GET", "/a")) == (200, b"reached /a")
    assert rig.ledger.decided() == [("allow", None)]


async def test_a_preface_that_is_none_is_a_malformed_request(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["http/1.1", "h2"])
    assert (await wire.ask(b"PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: up.test\r\n\r\n")).code == "malformed"
    assert await wire.rest() == b""
    assert rig.log.requests == []


async def test_an_allowed_request_passes_to_a_destination_that_speaks_http_1(rig: Rig) -> None:
    made = await agent(rig)
    number = await made.request("GET", "/a?b=c")
    assert await made.answer(number) == (200, b"reached /a?b=c")
    assert rig.ledger.decided() == [("allow", None)]
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    assert [seen.path for seen in rig.log.requests] == ["/a?b=c"]


async def test_a_denied_one_is_told_why_and_the_connection_serves_on(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = DENY
    number = await made.request()
    assert await made.code(number) == (403, "policy")
    assert made.heads[number]["x-aaf-decision"] == "deny"
    rig.engine.verdict = ALLOW
    assert (await made.answer(await made.request()))[0] == 200


async def test_many_requests_at_once_get_each_their_own_answer(rig: Rig) -> None:
    made = await agent(rig)
    numbers = [await made.request("GET", f"/{n}") for n in range(40)]
    for n, number in enumerate(numbers):
        assert await made.answer(number) == (200, f"reached /{n}".encode())
    assert sorted(seen.path for seen in rig.log.requests) == sorted(f"/{n}" for n in range(40))


async def test_a_held_one_does_not_stop_the_others_and_passes_once_approved(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    held = await made.request("POST", "/held", end=False)
    await made.data(held, b"amount=5", end=True)
    await rig.held()
    rig.engine.verdict = ALLOW
    assert (await made.answer(await made.request("GET", "/other")))[1] == b"reached /other"
    assert held not in made.heads
    rig.engine.verdict = HOLD
    rig.approve()
    assert await made.answer(held) == (200, b"reached /held")
    assert rig.log.requests[-1].body == b"amount=5"


# --- TRAPS 1: an addon that raises lets the request through ------------------------------------------------------------


@pytest.mark.parametrize("step", BEFORE_EGRESS, ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_request(rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    made = await agent(rig)
    monkeypatch.setattr(step, "__call__", fails)
    rig.engine.verdict = HOLD if step.name == "hold" else ALLOW
    number = await made.request("POST", "/a", end=False)
    await made.data(number, b"x", end=True)
    assert await made.code(number) == (503, "defect")
    assert rig.log.heads == 0


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
async def test_a_hook_that_raises_ends_the_request(rig: Rig, hook: str) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    rig.gateway.hooks = hooks_with(rig, **{hook: fails})
    number = await made.request("POST", "/a", end=False)
    await made.data(number, b"x", end=True)
    await made.until(lambda: number in made.resets)
    assert made.resets[number] == ErrorCodes.INTERNAL_ERROR
    assert rig.log.heads == 0


# --- TRAPS 3: no backpressure while a hook is held ---------------------------------------------------------------------


async def test_what_is_sent_while_a_request_is_judged_stops_at_its_window(rig: Rig) -> None:
    rig.engine.gate.clear()
    made = await agent(rig)
    number = await made.request("POST", "/echo", end=False)
    await until(lambda: rig.engine.asked)
    sending = asyncio.create_task(made.data(number, bytes(3 * MEGABYTE), end=True))
    await until(lambda: made.h2.local_flow_control_window(number) == 0)
    sending.cancel()
    await asyncio.wait([sending])
    for _ in range(20):  # whatever would be given back has come before the answer to what is refused at once
        assert await made.code(await made.raw(get("up.test", "bad"))) == (400, "malformed")
    assert made.h2.local_flow_control_window(number) == 0
    (session,) = rig.gateway.sessions()
    assert session.stage.requests[number]._credit == WINDOW  # type: ignore[union-attr]
    assert rig.log.heads == 0


# --- TRAPS 5: CONNECT, SNI and :authority ----------------------------------------------------------------------------------


async def test_another_server_name_than_the_tunnels_is_refused(rig: Rig) -> None:
    wire = await rig.tunnel(server_name="other.test", alpn=["h2"])
    made = Agent(wire.reader, wire.writer)
    await made.begin()
    assert await made.code(await made.request()) == (421, "misdirected")
    assert rig.resolver.asked == []


# --- TRAPS 8: nothing is dialled before the decision -------------------------------------------------------------------


async def test_nothing_is_dialled_before_the_decision_is_recorded(rig: Rig, raw_context: ssl.SSLContext) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with RawUpstream(nothing, tls=raw_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        rig.engine.gate.clear()
        rig.ledger.gate.clear()
        made = await agent(rig, "raw.test")
        number = await made.raw(get("raw.test"))
        await until(lambda: rig.engine.asked)
        assert (destination.connections, rig.resolver.asked) == (0, [])
        rig.engine.gate.set()
        await until(lambda: rig.resolver.asked)
        assert destination.connections == 0
        rig.ledger.gate.set()
        assert (await made.answer(number))[0] == 204
        assert destination.connections == 1


# --- TRAPS 9: credentials for the proxy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["proxy-authorization", "proxy-authenticate"])
async def test_fields_for_the_proxy_are_refused_and_reach_nobody(rig: Rig, name: str) -> None:
    made = await agent(rig)
    assert await made.code(await made.raw(get("up.test", "/", (name, "Basic eDp5")))) == (400, "malformed")
    assert rig.log.heads == 0


# --- TRAPS 14: who leaves while held ------------------------------------------------------------------------------------


async def test_a_connection_that_is_lost_ends_the_holds_of_all_its_requests(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    for number in range(3):
        await made.request("DELETE", f"/{number}")
    await rig.held(3)
    made.writer.transport.abort()
    await rig.held(0)
    await until(lambda: rig.ledger.decided() == [("pending", "client-left")] * 3)
    assert rig.log.heads == 0


# --- TRAPS 18: time ------------------------------------------------------------------------------------------------------


async def test_a_destination_that_does_not_answer_is_a_504_on_record(
    upstream: Upstream, upstream_roots: str, raw_context: ssl.SSLContext
) -> None:
    async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    destination = RawUpstream(mute, tls=raw_context)
    patience = replace(PATIENT, response=0.1)
    async with destination.serving(), running(upstream, roots=upstream_roots, patience=patience) as rig:
        rig.lead("raw.test", destination.port)
        made = await agent(rig, "raw.test")
        assert await made.code(await made.raw(get("raw.test"))) == (504, "upstream-timeout")
        await until(lambda: rig.ledger.failed() == ["upstream-timeout"])


@pytest.mark.parametrize("asks", [True, False], ids=["after a request", "without any"])
async def test_a_connection_on_which_nothing_is_asked_ends(upstream: Upstream, upstream_roots: str, asks: bool) -> None:
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, idle=0.1)) as rig:
        made = await agent(rig)
        if asks:
            assert (await made.answer(await made.request()))[0] == 200
        async with asyncio.timeout(20):
            while await made.step():
                pass
        await until(lambda: not len(rig.gateway))


# --- TRAPS, Embedding: there is no drain ------------------------------------------------------------------------------------


async def test_a_drain_ends_what_is_idle_and_lets_what_is_under_way_finish(rig: Rig) -> None:
    idle, busy = await agent(rig), await agent(rig)
    assert (await idle.answer(await idle.request()))[0] == 200
    rig.engine.gate.clear()
    number = await busy.request("GET", "/b")
    await until(lambda: len(rig.engine.asked) == 2)
    draining = asyncio.create_task(rig.gateway.drain(20))
    async with asyncio.timeout(20):
        while await idle.step():
            pass
    rig.engine.gate.set()
    assert await busy.answer(number) == (200, b"reached /b")
    async with asyncio.timeout(20):
        while await busy.step():
            pass
    assert await draining == 0


async def test_an_answer_that_is_said_already_is_read_to_its_end_before_a_drain_ends_its_connection(rig: Rig) -> None:
    made = await agent(rig)
    made.gives_windows = False
    number = await made.request("GET", "/big")
    await made.until(lambda: len(made.bodies.get(number, b"")) == 65_535)  # all that its window takes
    (session,) = rig.gateway.sessions()
    draining = asyncio.create_task(rig.gateway.drain(20))
    await until(lambda: rig.gateway.draining)
    made.gives_windows = True
    made.h2.increment_flow_control_window(2 * MEGABYTE)
    made.h2.increment_flow_control_window(2 * MEGABYTE, number)
    await made.flush()
    assert await made.answer(number) == (200, b"x" * MEGABYTE)
    assert await draining == 0
    assert not session.link.open


# --- TRAPS, Clients while a request is held -----------------------------------------------------------------------------------


async def test_a_client_hears_nothing_while_its_request_is_held(rig: Rig) -> None:
    """Some take an interim answer for the answer, others for an error."""
    made = await agent(rig)
    rig.engine.verdict = HOLD
    held = await made.request("DELETE", "/a")
    await rig.held()
    rig.engine.verdict = ALLOW
    assert (await made.answer(await made.request("GET", "/beside")))[0] == 200
    assert held not in made.heads
    rig.approve()
    assert (await made.answer(held))[0] == 200


# --- TRAPS 16, 23, 26: where it leads ------------------------------------------------------------------------------------


async def test_a_socket_of_our_own_is_refused_although_the_policy_names_its_range(rig: Rig) -> None:
    rig.revisions.destinations = Destinations(ports=frozenset({443, rig.port}), allow_private=("127.0.0.0/8",))
    rig.services.own_sockets.ours.add(("127.0.0.1", rig.port))  # type: ignore[attr-defined]
    rig.resolver.routes["self.test"] = Route(addresses=("127.0.0.1",), port=rig.port)
    made = await agent(rig, "self.test", rig.port)
    assert await made.code(await made.raw(get(f"self.test:{rig.port}"))) == (403, "address")


@pytest.mark.parametrize("address", ["192.88.99.1", "168.63.129.16", "169.254.169.254"])
async def test_an_address_that_only_looks_public_is_refused(address: str) -> None:
    async with running(real_resolver=SystemResolver()) as rig:
        made = await agent(rig, address)
        assert await made.code(await made.raw(get(address))) == (403, "address")
        assert rig.engine.asked == []


# --- the end of a connection ------------------------------------------------------------------------------------------------


async def test_what_is_refused_is_told_although_the_client_is_still_sending(rig: Rig) -> None:
    """A socket that is closed with bytes unread is reset, and the goodbye is lost with it."""
    wire = await rig.tunnel(alpn=["h2"])
    await wire.send(PREFACE + frame(SETTINGS, 0, 1, b""))  # on a stream
    (session,) = rig.gateway.sessions()
    await until(lambda: session.phase is Phase.LINGER)
    with suppress(ConnectionError):  # asyncio's TLS ends with the other side's
        for _ in range(20):
            await wire.send(bytes(65536))
    assert frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\1") in await wire.rest()


async def test_after_what_is_refused_nothing_of_the_same_read_is_judged(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["h2"])
    unlawful = block([*get("up.test"), ("connection", "close")])
    await wire.send(
        PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 5, 1, unlawful) + frame(HEADERS, 5, 3, block(get("up.test", "/next")))
    )
    await wire.rest()
    assert rig.engine.asked == []


async def test_a_client_that_never_reads_does_not_keep_its_connection(
    upstream: Upstream, upstream_roots: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ending.STALLED_SECONDS", 0.2)
    async with running(upstream, roots=upstream_roots, patience=replace(PATIENT, idle=0.3, response=0.3)) as rig:
        made = await agent(rig)
        made.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30})
        made.h2.increment_flow_control_window(1 << 30)
        for _ in range(20):
            await made.request("GET", "/big")
        made.writer.transport.pause_reading()  # type: ignore[attr-defined]
        (session,) = rig.gateway.sessions()
        await until(lambda: session.link.backlog)
        await until(lambda: not rig.gateway.sessions())
