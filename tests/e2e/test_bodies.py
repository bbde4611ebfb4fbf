"""A request that is judged by its body (SEMANTICS 2): read first, up to what is inspected, and sent on as it came."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

import firewall.classify
from addons.services import Limits
from firewall.action import Kind
from firewall.audit.entry import Event
from firewall.classify.meaning import Meaning, Subject
from firewall.verdict import Verdict
from tests.e2e.upstream import Upstream
from tests.gateway.conftest import loop_thread, upstream, upstream_authority, upstream_roots  # noqa: F401
from tests.gateway.http2_agent import agent
from tests.gateway.rig import DENY, HOLD, Rig, basic, plain, running, until

LIMIT = 1000


class Reads:
    """A classifier that names a request by how much of its body it saw."""

    def wants_body(self, head: Subject) -> bool:
        return head.request.path.startswith("/read")

    def __call__(self, subject: Subject) -> Meaning | None:
        body = subject.request.body
        if body is None:
            return None
        return Meaning(service="read", operation=f"{len(body)}", kind=Kind.WRITE, resource={"last": body[-1:].decode()})


@pytest.fixture
async def rig(
    upstream: Upstream,  # noqa: F811
    upstream_roots: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Rig]:
    namers = (Reads(), *firewall.classify.NAMERS)
    monkeypatch.setattr("firewall.classify.judged.classify", partial(firewall.classify.classify, namers=namers))
    monkeypatch.setattr("addons.classify.wants_body", partial(firewall.classify.wants_body, namers=namers))
    limits = Limits(hold_seconds=30, body_inspect_bytes=LIMIT, body_hold_bytes=4 * LIMIT)
    async with running(upstream, roots=upstream_roots, limits=limits) as made:
        yield made
        assert made.guard.services.memory.taken == 0


def judged(rig: Rig) -> tuple[str, bool]:
    (asked,) = rig.engine.asked
    return asked["action"]["name"], asked["action"]["truncated"]


def chunked(*pieces: bytes, host: str = "up.test") -> bytes:
    head = f"POST http://{host}/read HTTP/1.1\r\nHost: {host}\r\n{basic()}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_is_read_before_it_is_judged(rig: Rig, size: int) -> None:
    answer = await rig.ask(plain("/read", method="POST", body=b"x" * size))
    assert answer.status == 200
    assert judged(rig) == (f"read:{size}", False)
    assert [seen.body for seen in rig.log.requests] == [b"x" * size]


@pytest.mark.parametrize("framed", ["by a length", "in chunks"])
@pytest.mark.parametrize("size", [LIMIT + 1, 300_000])
async def test_of_a_larger_one_the_beginning_is_judged_and_all_of_it_is_sent(rig: Rig, size: int, framed: str) -> None:
    body = bytes(97 + number % 26 for number in range(size))
    sent = plain("/read", method="POST", body=body) if framed == "by a length" else chunked(body[:700], body[700:])
    answer = await rig.ask(sent)
    assert answer.status == 200
    assert judged(rig) == (f"read:{LIMIT}", True)
    assert [seen.body for seen in rig.log.requests] == [body]
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    (completed,) = rig.ledger.fields(Event.ACTION_COMPLETED)
    assert completed["request_bytes"] == size


async def test_nothing_of_a_larger_one_is_kept_while_the_rest_of_it_passes(rig: Rig) -> None:
    wire = await rig.connect()
    head = f"POST http://up.test/read HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: {3 * LIMIT}\r\n\r\n"
    await wire.send(head.encode() + b"x" * 2 * LIMIT)
    await until(lambda: rig.log.heads)
    (passage,) = [one for _, tunnel in rig.guard.services.tunnels.all() for one in tunnel.passages]
    assert passage.request is not None
    assert (passage.request.body, bytes(passage.gathered)) == (None, b"")
    await wire.send(b"x" * LIMIT)
    assert (await wire.answer()).status == 200
    assert [len(seen.body) for seen in rig.log.requests] == [3 * LIMIT]


async def test_what_nobody_needs_streams_unread(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(f"POST http://up.test/echo HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 4\r\n\r\n".encode())
    await until(lambda: rig.engine.asked)
    await wire.send(b"body")
    assert (await wire.answer()).status == 200


async def test_a_denied_one_gets_its_answer_and_nothing_leaves(rig: Rig) -> None:
    rig.engine.verdict = DENY
    answer = await rig.ask(chunked(b"x" * 800, b"y" * 9000))
    assert (answer.status, answer.code) == (403, "policy")
    assert rig.log.requests == []


@pytest.mark.parametrize(("size", "status"), [(500, 200), (2500, 200), (4 * LIMIT, 200), (4 * LIMIT + 1, 413)])
async def test_one_that_is_held_is_read_to_its_end(rig: Rig, size: int, status: int) -> None:
    rig.engine.verdict = HOLD
    body = bytes(97 + number % 26 for number in range(size))
    wire = await rig.connect()
    await wire.send(chunked(body))
    if status == 200:
        await rig.held()
        rig.approve()
    answer = await wire.answer()
    assert answer.status == status
    assert [seen.body for seen in rig.log.requests] == ([body] if status == 200 else [])


async def test_a_malformed_one_is_refused_on_record(rig: Rig) -> None:
    head = f"POST http://up.test/read HTTP/1.1\r\nHost: up.test\r\n{basic()}Transfer-Encoding: chunked\r\n\r\n"
    answer = await rig.ask(head.encode() + b"3\r\nabc\r\nnonsense\r\n")
    assert (answer.status, answer.code) == (400, "malformed")
    assert rig.ledger.decided() == [("error", "malformed")]
    assert rig.engine.asked == []


async def test_a_client_that_leaves_meanwhile_is_on_record(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(f"POST http://up.test/read HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 100\r\n\r\nhalf".encode())
    await until(lambda: rig.guard.services.memory.taken == 100)
    await wire.abort()
    await until(rig.ledger.decided)
    assert rig.ledger.decided() == [("error", "abandoned")]
    assert rig.engine.asked == []


async def test_a_client_that_expects_it_is_told_once_to_go_on(rig: Rig) -> None:
    wire = await rig.connect()
    head = f"POST http://up.test/read HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n"
    await wire.send(head.encode())
    assert (await wire.answer(head_only=True)).status == 100
    await wire.send(b"x" * 5000)
    assert (await wire.answer()).status == 200
    assert [len(seen.body) for seen in rig.log.requests] == [5000]


async def test_bodies_that_are_read_at_once_have_a_limit_together(rig: Rig) -> None:
    rig.guard.services.limits = Limits(hold_seconds=30, body_inspect_bytes=LIMIT, held_bytes=150)
    wire = await rig.connect()
    head = f"POST http://up.test/read HTTP/1.1\r\nHost: up.test\r\n{basic()}Content-Length: 100\r\n\r\n".encode()
    await wire.send(head + b"x")
    await until(lambda: rig.guard.services.memory.taken == 100)
    answer = await rig.ask(plain("/read", method="POST", body=b"x" * 100))
    assert (answer.status, answer.code) == (503, "holds-full")
    await wire.send(b"x" * 99)
    assert (await wire.answer()).status == 200


# --- HTTP/2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [None, HOLD], ids=["allowed", "held"])
@pytest.mark.parametrize("size", [0, 10, LIMIT, LIMIT + 1, 3 * LIMIT])
async def test_the_same_by_http2(rig: Rig, size: int, verdict: Verdict | None) -> None:
    if verdict is not None:
        rig.engine.verdict = verdict
    made = await agent(rig)
    number = await made.request("POST", "/read", end=False)
    body = bytes(97 + number % 26 for number in range(size))
    for start in range(0, size, 400):
        await made.data(number, body[start : start + 400])
    await made.data(number, b"", end=True)
    if verdict is not None:
        await rig.held()
        rig.approve()
    assert (await made.answer(number))[0] == 200
    assert rig.engine.asked[0]["action"]["name"] == f"read:{min(size, LIMIT)}"
    assert [seen.body for seen in rig.log.requests] == [body]


async def test_a_reset_by_http2_meanwhile_is_on_record(rig: Rig) -> None:
    made = await agent(rig)
    number = await made.request("POST", "/read", end=False, content_length="100")
    await made.data(number, b"x")
    await until(lambda: rig.guard.services.memory.taken == 100)
    made.h2.reset_stream(number)
    await made.flush()
    await until(rig.ledger.decided)
    assert rig.ledger.decided() == [("error", "abandoned")]


async def test_pipelined_requests_keep_their_bodies_apart(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(plain("/read", method="POST", body=b"a" * 2500) + plain("/read", method="POST", body=b"b" * 10))
    answers = [await wire.answer(), await wire.answer()]
    assert [answer.status for answer in answers] == [200, 200]
    assert [seen.body for seen in rig.log.requests] == [b"a" * 2500, b"b" * 10]
