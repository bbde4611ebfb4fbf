"""The guard under mitmproxy's hooks, without a network: whatever goes wrong, nothing is released, and the agent is told what.
`tests/gateway/test_engine.py` shows the same on real sockets."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import connection, http
from mitmproxy.flow import Error
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow
from structlog.testing import capture_logs

from addons import PATH, metrics
from addons import guard as module
from addons.connect import Connect
from addons.guard import Firewall
from addons.passage import Passage, Step, passage_of
from addons.record import Record
from addons.settle import Settle
from firewall.audit.entry import Event
from firewall.egress import Route
from firewall.errors import LedgerUnavailable
from tests.addons.made import Made
from tests.gateway.rig import DENY, HOLD, basic, until

BEFORE_EGRESS = [step for step in PATH if step is not Settle]
CONNECT_PATH = [*PATH[:2], Connect]


class Guarded(Made):
    """A guard, one client connection, and requests on it."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.closed: list[str] = []
        self.guard = Firewall(self.services, close_client=self.closed.append)
        self.client = tflow.tclient_conn()
        self.guard.client_connected(self.client)
        self.resolver.routes["up.test"] = Route(addresses=("8.8.8.8",), port=80)

    def flow(self, method: str = "GET", content: bytes = b"", **fields: str) -> http.HTTPFlow:
        name, _, value = basic().strip().partition(": ")
        headers = {"Host": "up.test", name: value, **fields}
        if content:
            headers["Content-Length"] = str(len(content))
        flow = tflow.tflow(client_conn=self.client)
        flow.response = None
        flow.request = http.Request(
            "up.test", 80, method.encode(), b"http", b"", b"/a", b"HTTP/1.1",
            http.Headers([(each.encode(), text.encode()) for each, text in headers.items()]),
            None if content else b"", None, 0.0, 0.0,
        )  # fmt: skip
        flow.metadata["body"] = content
        return flow

    def connect_flow(self) -> http.HTTPFlow:
        flow = self.flow("CONNECT")
        flow.request.data.authority = b"up.test:443"
        return flow

    async def asked(self, flow: http.HTTPFlow) -> Passage:
        """Both hooks, as the engine calls them."""
        await done(self.guard.requestheaders(flow))
        passage = passage_of(flow)
        assert passage is not None
        if passage.answer is None:
            flow.request.raw_content = flow.metadata["body"]  # it has come meanwhile
            await done(self.guard.request(flow))
        return passage

    def dialled(self, address: tuple[str, int] | None = ("up.test", 80)) -> str | None:
        """Why no connection may be made there; None when it may."""
        server = connection.Server(address=address)
        self.guard.server_connect(ServerConnectionHookData(server=server, client=self.client))
        return server.error


async def done(waits: "asyncio.Future[None] | None") -> None:
    if waits is not None:
        async with asyncio.timeout(20):
            await waits


def told(passage: Passage) -> tuple[int, str]:
    """What the agent is told: the status and the words."""
    assert passage.answer is not None
    assert passage.answer is passage.flow.response
    return passage.answer.status_code, passage.answer.json()["detail"]


def at_once(error: BaseException) -> Callable[..., Any]:
    def step(_step: Step, _passage: Passage) -> None:
        raise error

    return step


def later(error: BaseException) -> Callable[..., Any]:
    async def step(_step: Step, _passage: Passage) -> None:
        await asyncio.sleep(0)
        raise error

    return step


def by_its_future(error: BaseException) -> Callable[..., Any]:
    def step(_step: Step, _passage: Passage) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
        return future

    return step


ERRORS = [RuntimeError("x"), KeyError("x"), AssertionError(), TimeoutError(), RecursionError(), asyncio.CancelledError()]


# --- a step that raises ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("how", [at_once, later, by_its_future])
@pytest.mark.parametrize("step", BEFORE_EGRESS, ids=lambda step: step.name)
async def test_a_step_that_raises_anything_ends_in_a_refusal_that_names_it(
    monkeypatch: pytest.MonkeyPatch, step: type[Step], how: Callable[[BaseException], Any], error: BaseException
) -> None:
    made = Guarded()
    made.engine.verdict = HOLD if step.name == "hold" else made.engine.verdict
    monkeypatch.setattr(step, "__call__", how(error))
    with capture_logs() as logs:
        passage = await made.asked(made.flow("POST", b"x"))
    assert told(passage) == (503, f"the step {step.name} failed")
    assert not passage.released
    assert made.dialled() == "no released request leads there"
    assert [entry["step"] for entry in logs if entry["event"] == "step.failed"][:1] == [step.name]


@pytest.mark.parametrize("how", [at_once, later, by_its_future])
@pytest.mark.parametrize("step", CONNECT_PATH, ids=lambda step: step.name)
async def test_a_step_that_raises_refuses_the_tunnel_by_name(
    monkeypatch: pytest.MonkeyPatch, step: type[Step], how: Callable[[BaseException], Any]
) -> None:
    made = Guarded()
    monkeypatch.setattr(step, "__call__", how(RuntimeError("x")))
    flow = made.connect_flow()
    await done(made.guard.http_connect(flow))
    passage = passage_of(flow)
    assert passage is not None
    assert told(passage) == (503, f"the step {step.name} failed")
    assert made.dialled(("up.test", 443)) is not None


async def test_a_step_that_goes_back_to_one_that_does_not_exist_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Guarded()
    monkeypatch.setattr(Record, "answered", lambda *_: "nowhere")
    passage = await made.asked(made.flow())
    assert told(passage) == (503, "the step record failed")
    assert not passage.released


@pytest.mark.parametrize("how", [at_once, later, by_its_future])
async def test_a_refusal_that_cannot_be_recorded_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[BaseException], Any]
) -> None:
    made = Guarded()
    made.engine.verdict = DENY
    monkeypatch.setattr(Record, "__call__", how(LedgerUnavailable("the audit store is unavailable")))
    assert told(await made.asked(made.flow())) == (503, "the audit store is unavailable")


@pytest.mark.parametrize("how", [at_once, later])
async def test_a_record_that_fails_on_a_refusal_is_the_step_that_is_named(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[BaseException], Any]
) -> None:
    made = Guarded()
    made.engine.verdict = DENY
    monkeypatch.setattr(Record, "__call__", how(RuntimeError("x")))
    assert told(await made.asked(made.flow())) == (503, "the step record failed")


async def test_an_answer_that_cannot_be_made_ends_the_hook_instead_of_leaving_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no answer")

    made = Guarded()
    made.engine.verdict = DENY
    monkeypatch.setattr(module, "answer", fail)
    flow = made.flow()
    with pytest.raises(RuntimeError, match="no answer"):
        await done(made.guard.requestheaders(flow))
    assert made.dialled() is not None
    assert flow.response is not None
    assert flow.response.status_code == 403  # what `arrest` put there


async def test_a_settle_that_raises_is_counted_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Guarded()
    passage = await made.asked(made.flow())
    before = _lost()
    monkeypatch.setattr(Settle, "__call__", at_once(RuntimeError("x")))
    with capture_logs() as logs:
        made.guard.response(passage.flow)
    assert _lost() == before + 1
    assert [(entry["event"], entry["step"]) for entry in logs] == [("step.failed", "settle")]
    assert passage.answer is None


# --- what was never judged ---------------------------------------------------------------------------------------------------


async def test_a_flow_that_was_never_judged_is_refused_and_its_connection_ends() -> None:
    made = Guarded()
    flow = made.flow()
    await done(made.guard.request(flow))
    assert flow.response is not None
    assert (flow.response.status_code, flow.response.json()["detail"]) == (503, "the request was never judged")
    assert flow.response.headers["Connection"] == "close"
    assert made.dialled() is not None


async def test_a_request_stands_under_arrest_while_it_is_judged() -> None:
    made = Guarded()
    made.engine.gate.clear()
    flow = made.flow()
    waits = made.guard.requestheaders(flow)
    await until(lambda: made.engine.asked)
    assert flow.response is not None
    assert flow.response.status_code == 403
    assert made.dialled() == "no released request leads there"
    made.engine.gate.set()
    await done(waits)
    assert flow.response is None
    assert made.dialled() is None


# --- the second lock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", [("up.test", 81), ("other.test", 80), ("UP.test", 80), ("8.8.8.8", 80), ("up.test", 80, 0, 0), None], ids=str
)
async def test_a_released_request_opens_the_way_to_its_own_host_and_port_alone(address: Any) -> None:
    made = Guarded()
    await made.asked(made.flow())
    assert made.dialled() is None
    with capture_logs() as logs:
        assert made.dialled(address) == "no released request leads there"
    assert logs == [{"event": "connection.not-released", "client": made.client.id, "log_level": "error"}]


@pytest.mark.parametrize("state", ["connected", "tunnel opened", "denied", "ended", "gone", "another client's"])
async def test_without_a_released_request_no_connection_is_made_and_that_is_logged(state: str) -> None:
    made = Guarded()
    match state:
        case "tunnel opened":
            flow = made.connect_flow()
            await done(made.guard.http_connect(flow))
            assert flow.response is None
        case "denied":
            made.engine.verdict = DENY
            assert told(await made.asked(made.flow())) == (403, "denied here")
        case "ended":
            passage = await made.asked(made.flow())
            assert made.dialled() is None
            made.guard.response(passage.flow)
        case "gone":
            await made.asked(made.flow())
            made.guard.client_disconnected(made.client)
        case "another client's":
            await made.asked(made.flow())
            made.client = tflow.tclient_conn()
            made.client.id = "another"
            made.guard.client_connected(made.client)
        case _:
            pass
    with capture_logs() as logs:
        assert made.dialled(("up.test", 443 if state == "tunnel opened" else 80)) == "no released request leads there"
    assert [entry["event"] for entry in logs] == ["connection.not-released"]


async def test_a_lock_that_fails_stays_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Guarded()
    await made.asked(made.flow())

    def fail(_client_id: str) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(made.services.tunnels, "find", fail)
    server = connection.Server(address=("up.test", 80))
    with pytest.raises(RuntimeError):
        made.guard.server_connect(ServerConnectionHookData(server=server, client=made.client))
    assert server.error == "no released request leads there"


# --- the way of a request ----------------------------------------------------------------------------------------------------


async def test_an_allowed_request_is_on_record_before_it_is_released() -> None:
    made = Guarded()
    made.ledger.gate.clear()
    flow = made.flow()
    waits = made.guard.requestheaders(flow)
    await until(lambda: made.resolver.asked)
    assert made.dialled() is not None
    made.ledger.gate.set()
    await done(waits)
    assert made.ledger.decided() == [("allow", None)]
    assert made.dialled() is None


async def test_what_was_recorded_as_allowed_and_then_stayed_here_has_that_on_record_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Guarded()
    made.ledger.gate.clear()
    waits = made.guard.requestheaders(made.flow())
    await until(lambda: made.resolver.asked)
    made.agents.live = False  # between the record and the release
    made.ledger.gate.set()
    await done(waits)
    await until(lambda: made.ledger.failed())
    assert (made.ledger.decided(), made.ledger.failed()) == ([("allow", None)], ["agent-disabled"])
    assert made.dialled() is not None


async def test_a_denial_is_recorded_once_and_settles_nothing() -> None:
    made = Guarded()
    made.engine.verdict = DENY
    passage = await made.asked(made.flow())
    made.guard.error(passage.flow)
    made.guard.response(passage.flow)
    assert [draft.event for draft in made.ledger.drafts] == [Event.ACTION_DECIDED]


async def test_a_client_that_leaves_while_its_held_body_is_read_gives_the_memory_back_and_is_on_record() -> None:
    made = Guarded(held_bytes=100, body_hold_bytes=100)
    made.engine.verdict = HOLD

    async def leave() -> None:
        flow = made.flow("POST", b"x" * 100)
        await done(made.guard.requestheaders(flow))
        passage = passage_of(flow)
        assert passage is not None
        assert (passage.parked, passage.held_bytes, passage.answer) == (True, 100, None)
        made.guard.client_disconnected(made.client)
        await until(lambda: passage.answer)
        assert passage.held_bytes == 0
        made.guard.client_connected(made.client)

    for _ in range(3):
        await leave()
    assert made.ledger.decided() == [("error", "abandoned")] * 3
    assert made.ledger.states == {}  # no approval was opened for what will never come


async def test_a_client_that_leaves_while_its_held_request_is_judged_takes_no_memory() -> None:
    made = Guarded(held_bytes=100, body_hold_bytes=100)
    made.engine.verdict = HOLD
    made.engine.gate.clear()
    flow = made.flow("POST", b"x" * 100)
    waits = made.guard.requestheaders(flow)
    await until(lambda: made.engine.asked)
    made.guard.client_disconnected(made.client)
    made.engine.gate.set()
    await done(waits)
    passage = passage_of(flow)
    assert passage is not None
    assert (passage.parked, passage.held_bytes) == (False, 0)
    assert passage.answer is not None
    assert made.ledger.decided() == [("error", "abandoned")]


async def test_an_upstream_that_fails_is_answered_and_on_record() -> None:
    made = Guarded()
    passage = await made.asked(made.flow())
    passage.flow.error = Error("connection refused")
    made.guard.error(passage.flow)
    assert told(passage) == (502, "connection refused")
    await until(lambda: made.ledger.failed())
    assert made.ledger.failed() == ["upstream-unreachable"]


async def test_headers_of_ours_from_outside_are_stripped_and_a_101_that_nobody_asked_for_is_refused() -> None:
    made = Guarded()
    passage = await made.asked(made.flow())
    passage.flow.response = http.Response.make(101, b"", {"X-AAF-Decision": "allow", "x-aaf-action": "act", "Server": "s"})
    headers = passage.flow.response.headers
    made.guard.responseheaders(passage.flow)
    assert dict(headers.items()) == {"Server": "s", "content-length": "0"}
    assert told(passage)[0] == 502
    await until(lambda: made.ledger.failed())
    assert made.ledger.failed() == ["upgrade"]


async def test_an_agent_that_is_disabled_loses_its_idle_connection_and_its_held_request() -> None:
    made = Guarded()
    passage = await made.asked(made.flow())
    made.guard.response(passage.flow)
    made.engine.verdict = HOLD
    held = asyncio.ensure_future(made.asked(made.flow("POST", b"x")))
    await until(lambda: len(made.services.room) == 1)
    made.agents.disable()
    assert made.closed == []  # it is answered first
    assert told(await held) == (403, "the agent's credential has ended")
    await made.guard.every_second()
    assert made.closed == [made.client.id]


async def test_draining_nobody_waits_and_every_answer_ends_its_connection() -> None:
    made = Guarded()
    made.engine.verdict = HOLD
    held = asyncio.ensure_future(made.asked(made.flow("POST", b"x")))
    await until(lambda: len(made.services.room) == 1)
    made.guard.drain()
    passage = await held
    assert told(passage) == (503, "this gateway is shutting down; send it again")
    assert passage.answer is not None
    assert passage.answer.headers["Connection"] == "close"


async def test_of_websocket_messages_the_last_one_stays_and_all_are_counted() -> None:
    made = Guarded()
    passage = await made.asked(made.flow())
    flow = passage.flow
    flow.websocket = tflow.twebsocketflow().websocket
    assert flow.websocket is not None
    messages = list(flow.websocket.messages)
    flow.websocket.messages.clear()
    for message in messages:
        flow.websocket.messages.append(message)
        made.guard.websocket_message(flow)
    assert flow.websocket.messages == messages[-1:]
    sent = sum(len(message.content) for message in messages if message.from_client)
    assert (passage.request_bytes, passage.response_bytes) == (sent, sum(len(m.content) for m in messages) - sent)


def _lost() -> float:
    (metric,) = metrics.LOST.collect()
    return next(float(sample.value) for sample in metric.samples if sample.name.endswith("_total"))
