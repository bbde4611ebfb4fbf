"""The engine as a whole: the path under mitmproxy's hooks, with real sockets (TRAPS 1, 2, 8, 9, 14, 16, 19)."""

import asyncio
import json
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from addons import PATH
from addons.classify import unknown_action
from addons.passage import Passage, Step
from addons.services import Limits
from addons.settle import Settle
from firewall.audit.entry import Event
from firewall.egress import Route
from firewall.errors import LedgerUnavailable
from gateway.hooks import HOOKS, Hooks
from tests.e2e.upstream import Upstream
from tests.gateway.rig import DENY, HOLD, RawUpstream, Rig, Wire, basic, inner, plain, running, until

BEFORE_EGRESS = [step for step in PATH if step is not Settle]
MEGABYTE = 1 << 20


def fails(*_: object) -> None:
    raise RuntimeError("made to fail")


def hooks_with(rig: Rig, **instead: object) -> Hooks:
    """The guard's hooks, but for some."""
    given = {name: getattr(rig.guard, name) for name in HOOKS if hasattr(rig.guard, name)}
    return Hooks([SimpleNamespace(**given | instead)])


# --- TRAPS 1: an addon that raises lets the request through ------------------------------------------------------------


@pytest.mark.parametrize("step", BEFORE_EGRESS, ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_plain_request(rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "__call__", fails)
    rig.engine.verdict = HOLD if step.name == "hold" else rig.engine.verdict
    answer = await rig.ask(plain("/", method="POST", body=b"x"))
    assert (answer.status, answer.code, answer.json()["detail"]) == (503, "defect", f"the step {step.name} failed")
    assert rig.log.requests == []


@pytest.mark.parametrize("step", BEFORE_EGRESS, ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_request_in_a_tunnel(
    rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await rig.tunnel()
    monkeypatch.setattr(step, "__call__", fails)
    rig.engine.verdict = HOLD if step.name == "hold" else rig.engine.verdict
    answer = await wire.ask(inner("/", method="POST", body=b"x"))
    assert (answer.status, answer.code) == (503, "defect")
    assert rig.log.requests == []


@pytest.mark.parametrize("step", [step for step in PATH if step.name in {"arrest", "authenticate"}], ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_tunnel(rig: Rig, step: type[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "__call__", fails)
    answer = await rig.ask(f"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n{basic()}\r\n".encode())
    assert (answer.status, answer.code) == (503, "defect")


async def test_a_settle_that_raises_changes_nothing_for_the_agent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settle, "__call__", fails)
    wire = await rig.connect()
    assert (await wire.ask(plain("/a"))).body == b"reached /a"
    assert (await wire.ask(plain("/b"))).body == b"reached /b"
    assert rig.ledger.decided() == [("allow", None), ("allow", None)]


async def test_a_hook_that_raises_ends_the_connection(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def instead(_flow: object) -> None:
        raise RuntimeError("made to fail")

    rig.gateway.hooks = Hooks([SimpleNamespace(requestheaders=instead)])
    wire = await rig.connect()
    await wire.send(plain("/"))
    assert await wire.rest() == b""
    assert rig.log.requests == []


async def test_nothing_is_dialled_for_a_request_that_was_not_released(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lock is gone: the second one must hold."""

    def claim(passage: Passage, *_: object) -> None:
        passage.action = unknown_action(passage, ("up.test", 80))
        passage.route = Route(addresses=("127.0.0.1",), port=rig.upstream.http_port if rig.upstream else 0, exempt=True)
        passage.whole = passage.recorded = passage.released = True
        passage.flow.response = None
        rig.services.tunnels.of(passage.client_id).passages.clear()

    monkeypatch.setattr(rig.guard, "_walk", lambda passage, *_: SimpleNamespace(go=lambda: claim(passage)))
    monkeypatch.setattr(Passage, "with_credential", lambda _: rig.agents.credential)
    answer = await rig.ask(plain("/"))
    assert (answer.status, answer.json()["detail"]) == (502, "no released request leads there")
    assert (rig.log.connections, rig.log.requests) == (0, [])


# --- TRAPS 2: large bodies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_large_body_to_a_denied_host_is_answered_before_it_is_read(rig: Rig, framing: str) -> None:
    rig.engine.verdict = DENY
    wire = await rig.connect()
    head = f"Content-Length: {50 * MEGABYTE}" if framing == "length" else "Transfer-Encoding: chunked"
    await wire.send(f"POST http://up.test/ HTTP/1.1\r\nHost: up.test\r\n{basic()}{head}\r\n\r\n".encode())
    answer = await wire.answer()
    assert (answer.status, answer.code, answer.headers["connection"]) == (403, "policy", "close")
    before, sent = _resident(), 0
    try:
        while sent < 50 * MEGABYTE:
            await wire.send((b"10000\r\n" + b"x" * 65536 + b"\r\n") if framing == "chunked" else b"x" * 65536)
            sent += 65536
    except ConnectionError:
        pass
    assert _resident() - before < 25 * MEGABYTE
    assert rig.log.requests == []


async def test_an_allowed_body_streams_and_its_hash_is_on_record(rig: Rig) -> None:
    body = bytes(range(256)) * (8 * MEGABYTE // 256)
    answer = await rig.ask(plain("/echo", method="POST", body=body))
    assert json.loads(answer.body)["size"] == len(body)
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    assert rig.ledger.fields(Event.ACTION_COMPLETED)[0]["request_bytes"] == len(body)
    assert rig.log.requests[0].body == body


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_too_large_to_approve_is_refused_and_none_of_it_leaves(
    upstream: Upstream, upstream_roots: str, framing: str
) -> None:
    async with running(upstream, roots=upstream_roots, limits=Limits(body_hold_bytes=100_000)) as rig:
        rig.engine.verdict = HOLD
        wire = await rig.connect()
        head = "Content-Length: 200000" if framing == "length" else "Transfer-Encoding: chunked"
        await wire.send(f"POST http://up.test/ HTTP/1.1\r\nHost: up.test\r\n{basic()}{head}\r\n\r\n".encode())
        if framing == "chunked":
            await wire.send(b"30d40\r\n" + b"x" * 200_000 + b"\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.code, answer.json()["detail"]) == (413, "body-too-large", "too large to approve")
        assert rig.log.requests == []
        assert rig.ledger.decided() == [("error", "body-too-large")]


async def test_all_holds_together_have_a_limit_too(upstream: Upstream, upstream_roots: str) -> None:
    async with running(upstream, roots=upstream_roots, limits=Limits(hold_seconds=30, held_bytes=150_000)) as rig:
        rig.engine.verdict = HOLD
        first = await rig.connect()
        await first.send(plain("/", method="POST", body=b"x" * 100_000))
        await rig.held()
        answer = await rig.ask(plain("/", method="POST", body=b"y" * 100_000))
        assert (answer.status, answer.code) == (503, "holds-full")
        await first.close()
        await rig.held(0)
        second = await rig.connect()
        await second.send(plain("/", method="POST", body=b"z" * 100_000))  # what the first had set aside is free again
        await rig.held()


async def test_bytes_behind_a_held_request_do_not_gather(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.connect()
    await wire.send(plain("/", method="POST", body=b"x"))
    await rig.held()
    before = _resident()
    pouring = asyncio.create_task(_pour(wire, 50 * MEGABYTE))
    session = next(iter(rig.gateway.sessions()))
    await until(lambda: session.link.held)  # no more is read, and what the kernel takes is bounded
    assert _resident() - before < 25 * MEGABYTE
    await wire.abort()
    with pytest.raises(ConnectionError):
        await pouring
    await rig.held(0)  # that the client left is noticed although nothing is read from it
    assert rig.log.requests == []


# --- TRAPS 8: nothing is dialled before the decision -------------------------------------------------------------------


async def test_nothing_is_dialled_before_the_decision_is_recorded(rig: Rig) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with RawUpstream(nothing).serving() as destination:
        rig.lead("raw.test", destination.port)
        rig.engine.gate.clear()
        rig.ledger.gate.clear()
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test"))
        await until(lambda: rig.engine.asked)
        assert (destination.connections, rig.resolver.asked) == (0, [])
        rig.engine.gate.set()
        await until(lambda: rig.resolver.asked)
        assert destination.connections == 0
        rig.ledger.gate.set()
        assert (await wire.answer(head_only=True)).status == 204
        assert destination.connections == 1


async def test_a_denied_host_causes_no_name_lookup(rig: Rig) -> None:
    rig.engine.verdict = DENY
    assert (await rig.ask(plain("/"))).status == 403
    assert rig.resolver.asked == []


# --- TRAPS 9: credentials for the proxy ---------------------------------------------------------------------------------


async def test_proxy_headers_do_not_reach_the_destination(rig: Rig) -> None:
    answer = await rig.ask(plain("/echo", headers="Proxy-Connection: keep-alive\r\nPrefer: wait=3\r\nX-Kept: yes\r\n"))
    headers = json.loads(answer.body)["headers"]
    assert "x-kept" in headers
    assert not {name for name in headers if name.startswith("proxy-") or name == "prefer"}


async def test_a_credential_inside_a_tunnel_is_stripped_and_changes_nothing(rig: Rig) -> None:
    wire = await rig.tunnel()
    answer = await wire.ask(inner("/echo", headers=basic("somebody", "else")))
    assert not {name for name in json.loads(answer.body)["headers"] if name.startswith("proxy-")}
    assert rig.ledger.fields(Event.ACTION_DECIDED)[0]["agent_name"] == "demo"


# --- TRAPS 14: who leaves while held ------------------------------------------------------------------------------------


async def test_a_client_that_leaves_ends_its_hold_at_once_and_the_approval_stays(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.tunnel()
    await wire.send(inner("/", method="POST", body=b"x"))
    await rig.held()
    await wire.close()
    await rig.held(0)
    await until(lambda: rig.ledger.decided())
    assert rig.ledger.decided() == [("pending", "client-left")]
    assert len(rig.ledger.left) == 1
    assert [state.value for state in rig.ledger.states.values()] == ["pending"]
    assert rig.log.requests == []


async def test_an_agent_disabled_while_held_is_refused(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.tunnel()
    await wire.send(inner("/", method="POST", body=b"x"))
    await rig.held()
    rig.agents.disable()
    answer = await wire.answer()
    assert (answer.status, answer.code) == (403, "agent-disabled")
    assert rig.log.requests == []


async def test_an_idle_tunnel_of_a_disabled_agent_is_closed(rig: Rig) -> None:
    wire = await rig.tunnel()
    assert (await wire.ask(inner("/"))).status == 200
    rig.agents.disable()
    assert await wire.rest() == b""


async def test_a_held_request_passes_once_approved_with_the_body_that_was_approved(rig: Rig) -> None:
    rig.engine.verdict = HOLD
    wire = await rig.tunnel()
    await wire.send(inner("/echo", method="POST", body=b"exactly this"))
    await rig.held()
    assert rig.log.requests == []
    rig.approve()
    assert (await wire.answer()).status == 200
    assert [seen.body for seen in rig.log.requests] == [b"exactly this"]
    assert rig.ledger.decided() == [("allow", None)]
    assert len(rig.ledger.fields(Event.GRANT_SPENT)) == 1


# --- TRAPS 16: connections upstream --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [True, False])
async def test_requests_of_one_client_share_one_connection_to_the_checked_address(rig: Rig, secure: bool) -> None:
    if secure:
        wire = await rig.tunnel()
        answers = [await wire.ask(inner(f"/{number}")) for number in range(12)]
    else:
        wire = await rig.connect()
        answers = [await wire.ask(plain(f"/{number}")) for number in range(12)]
    assert [answer.body for answer in answers] == [f"reached /{number}".encode() for number in range(12)]
    assert rig.log.connections == 1
    assert set(rig.resolver.asked) == {"up.test"}


async def test_a_reused_connection_is_judged_by_the_address_it_was_dialled_at(rig: Rig) -> None:
    wire = await rig.tunnel()
    for number in range(3):
        assert (await wire.ask(inner(f"/{number}"))).status == 200
    addresses = [fields["address"] for fields in rig.ledger.fields(Event.ACTION_DECIDED)]
    assert addresses == ["127.0.0.1"] * 3


# --- the ledger ---------------------------------------------------------------------------------------------------------


async def test_an_allowed_request_that_cannot_be_recorded_does_not_leave(rig: Rig) -> None:
    rig.ledger.error = LedgerUnavailable("the audit store is unavailable")
    wire = await rig.connect()
    answer = await wire.ask(plain("/"))
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "ledger-unavailable", "1")
    assert rig.log.requests == []
    rig.ledger.error = None
    assert (await wire.ask(plain("/after"))).body == b"reached /after"


async def test_an_outcome_that_could_not_be_recorded_is_recorded_later(rig: Rig) -> None:
    rig.ledger.refuses = Event.ACTION_COMPLETED
    assert (await rig.ask(plain("/status/204"), head_only=True)).status == 204
    await until(lambda: len(rig.guard._settle) == 1)
    rig.ledger.refuses = None
    await rig.guard.every_second()
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))


async def test_headers_of_ours_in_an_answer_from_outside_are_stripped(rig: Rig) -> None:
    answer = await rig.ask(plain("/forged"))
    assert answer.body == b"forged"
    assert not [name for name in answer.headers if name.startswith("x-aaf-")]


# --- TRAPS, Embedding: there is no drain ------------------------------------------------------------------------------------


async def test_a_drain_ends_what_is_idle_and_lets_what_is_under_way_finish(rig: Rig) -> None:
    idle, busy = await rig.tunnel(), await rig.tunnel()
    assert (await idle.ask(inner("/a"))).status == 200
    rig.engine.gate.clear()
    await busy.send(inner("/b"))
    await until(lambda: len(rig.engine.asked) == 2)
    draining = asyncio.create_task(rig.gateway.drain(20))
    assert await idle.rest() == b""
    with pytest.raises(ConnectionError):
        await rig.connect()
    rig.engine.gate.set()
    answer = await busy.answer()
    assert (answer.body, answer.headers["connection"]) == (b"reached /b", "close")
    assert await busy.rest() == b""
    assert await draining == 0


async def test_a_drain_has_an_end_and_says_how_much_it_cut(rig: Rig) -> None:
    rig.engine.gate.clear()
    wire = await rig.tunnel()
    await wire.send(inner("/a"))
    await until(lambda: rig.engine.asked)
    assert await rig.gateway.drain(0) == 1
    assert await wire.rest() == b""
    assert rig.log.requests == []


async def _pour(wire: Wire, size: int) -> None:
    for _ in range(size // 65536):
        await wire.send(b"x" * 65536)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * resource.getpagesize()
