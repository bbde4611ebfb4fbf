"""Hold and release (SEMANTICS 3), through real gateways on a real database."""

import http.client
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.e2e.conftest import POLICY, PartsFactory, name_of
from tests.e2e.parts import Agent, Gateway, Parts, Refusal, until
from tests.e2e.upstream import Seen, Upstream
from tests.e2e.wire import Answer, Wire, connect_head, head, request, tunnel

pytestmark = pytest.mark.xdist_group("e2e-holds")

HOST = "held.test"


class Held:
    """One agent's requests to the host that needs approval."""

    def __init__(self, parts: Parts, upstream: Upstream, agent: Agent) -> None:
        self.parts = parts
        self.upstream = upstream
        self.agent = agent
        self._wires = ExitStack()

    def close(self) -> None:
        self._wires.close()

    def open(self, *, gateway: Gateway | None = None, host: str = HOST) -> Wire:
        port = None if gateway is None else gateway.port
        return self._wires.enter_context(tunnel(self.agent, host, self.parts.ca_file, gateway=port))

    def send(
        self, path: str, body: bytes = b"amount=5", *, gateway: Gateway | None = None, host: str = HOST, **fields: str
    ) -> Wire:
        """Sends a request on a connection of its own, and does not wait for the answer."""
        return self.open(gateway=gateway, host=host).send(request("POST", path, host, body, **fields))

    def ask(
        self, path: str, body: bytes = b"amount=5", *, gateway: Gateway | None = None, host: str = HOST, **fields: str
    ) -> Answer:
        """Sends a request that is not held for long, and gives the answer."""
        return self.send(path, body, gateway=gateway, host=host, Prefer="wait=0", **fields).answer("POST")

    def approve(self) -> str:
        (approval,) = self.parts.pending(self.agent)
        self.parts.api.approve(approval["id"])
        return str(approval["id"])

    def seen(self) -> list[Seen]:
        """What reached the destination from this agent, told by paths that begin with its name."""
        return [seen for seen in self.upstream.log.requests if seen.path.startswith(f"/{self.agent.name}")]

    def has_passed(self, count: int) -> bool:
        return len(self.seen()) == count

    def count(self) -> int:
        """How many approvals this agent ever caused."""
        return sum(1 for approval in self.parts.api.approvals() if approval["agent_id"] == self.agent.id)

    def waiting(self, count: int) -> None:
        """Waits until `count` requests are held, each for an approval that nobody has decided."""
        until(lambda: self.parts.waiters(self.agent) == count)


@pytest.fixture
def held(parts: Parts, upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Held]:
    made = Held(parts, upstream, parts.agent(name_of(request)))
    yield made
    made.close()


def path_of(held: Held, rest: str = "") -> str:
    return f"/{held.agent.name}{rest}"


def is_pending(answer: Answer, approval_id: str) -> bool:
    problem = answer.problem
    assert (answer.status, answer.headers["x-aaf-decision"], problem["status"]) == (503, "pending", "pending")
    assert int(answer.headers["retry-after"]) > 0
    assert problem["action_id"] == answer.headers["x-aaf-action"]
    return bool(problem["approval_id"] == approval_id)


# --- while the connection is held -------------------------------------------------------------------------------------------


def test_an_approved_request_goes_out_byte_for_byte(held: Held) -> None:
    body = os.urandom(1 << 20)
    path = path_of(held, "/%7Euser?b=2&a=1&b=%2f")
    wire = held.send(path, body, X_Custom="as it was")
    held.waiting(1)
    assert held.seen() == []
    approval_id = held.approve()
    answer = wire.answer("POST")
    assert (answer.status, answer.body) == (200, f"reached {path}".encode())
    assert not [name for name in answer.headers if name.startswith("x-aaf-")]
    (seen,) = held.seen()
    assert (seen.method, seen.path, seen.body, seen.headers["x-custom"]) == ("POST", path, body, "as it was")
    (decided,) = held.parts.decided(held.agent)
    assert (decided["effect"], decided["approval"]) == ("allow", approval_id)
    outcome = held.parts.outcome(decided["action"])
    assert (outcome["event"], outcome["status"], outcome["request_bytes"]) == ("action.completed", 200, 1 << 20)
    spent = held.parts.entries("grant.spent")[-1]
    assert (spent["approval"], spent["action"]) == (approval_id, decided["action"])
    assert held.parts.waiters(held.agent) == 0


def test_a_held_body_without_a_length_goes_out_whole(held: Held) -> None:
    chunks = [os.urandom(size) for size in (1, 1000, 70_000)]
    wire = held.open().send(head("POST", path_of(held), HOST, Transfer_Encoding="chunked"))
    for chunk in chunks:
        wire.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    assert held.parts.waiters(held.agent) == 0
    wire.send(b"0\r\n\r\n")
    held.approve()
    assert wire.answer("POST").status == 200
    (seen,) = held.seen()
    assert seen.body == b"".join(chunks)


def test_a_connection_serves_further_requests_after_a_held_one(held: Held) -> None:
    wire = held.send(path_of(held, "/1"))
    held.approve()
    assert wire.answer("POST").status == 200
    assert is_pending(
        wire.send(request("POST", path_of(held, "/2"), HOST, b"x", Prefer="wait=0")).answer("POST"),
        held.parts.pending(held.agent)[0]["id"],
    )
    assert [seen.path for seen in held.seen()] == [path_of(held, "/1")]


def test_a_denied_request_is_answered_with_the_approvers_reason(held: Held) -> None:
    wire = held.send(path_of(held))
    (approval,) = held.parts.pending(held.agent)
    held.parts.api.deny(approval["id"], "not on a Friday")
    answer = wire.answer("POST")
    assert (answer.status, answer.headers["x-aaf-decision"]) == (403, "deny")
    assert "not on a Friday" in answer.problem["detail"]
    assert answer.problem["rules"] == ["held"]
    assert held.seen() == []
    (decided,) = held.parts.decided(held.agent)
    assert (decided["effect"], decided["code"], decided["approval"]) == ("deny", "approver", approval["id"])


def test_a_denial_answers_the_same_request_for_ten_minutes(held: Held) -> None:
    wire = held.send(path_of(held))
    (approval,) = held.parts.pending(held.agent)
    held.parts.api.deny(approval["id"], "no")
    assert wire.answer("POST").status == 403
    assert held.ask(path_of(held)).status == 403
    assert held.count() == 1
    assert is_pending(held.ask(path_of(held), b"amount=6"), held.parts.pending(held.agent)[0]["id"])
    held.parts.sql("update aaf.approvals set decided_at = decided_at - interval '540 seconds' where id = $1", uuid_of(approval))
    assert held.ask(path_of(held)).status == 403
    held.parts.sql("update aaf.approvals set decided_at = decided_at - interval '60 seconds' where id = $1", uuid_of(approval))
    assert held.ask(path_of(held)).status == 503
    assert held.count() == 3
    assert held.seen() == []


def uuid_of(approval: dict[str, str]) -> str:
    return approval["id"].removeprefix("apr_")


def test_a_request_that_nobody_decides_in_time_is_refused(held: Held) -> None:
    wire = held.send("/late", host="brief.test")
    (approval,) = held.parts.pending(held.agent)
    answer = wire.answer("POST")
    assert (answer.status, answer.headers["x-aaf-decision"]) == (403, "deny")
    assert answer.problem["type"].endswith(":expired")
    assert held.ask("/late", host="brief.test").problem["type"].endswith(":expired")
    with pytest.raises(Refusal, match="409"):
        held.parts.api.approve(approval["id"])
    assert held.count() == 1
    assert [entry["code"] for entry in held.parts.decided(held.agent)] == ["expired", "expired"]


def test_a_decision_counts_once(held: Held) -> None:
    held.ask(path_of(held))
    (approval,) = held.parts.pending(held.agent)
    held.parts.api.deny(approval["id"])
    for again in (held.parts.api.approve, held.parts.api.deny):
        with pytest.raises(Refusal, match="409"):
            again(approval["id"])
    settled = [entry["event"] for entry in held.parts.entries() if entry.get("approval") == approval["id"]]
    assert settled == ["approval.requested", "action.decided", "approval.voted", "approval.denied"]


# --- when the wait ends first -----------------------------------------------------------------------------------------------


def test_the_end_of_the_wait_is_503_and_the_approval_stays_pending(held: Held) -> None:
    answer = held.send(path_of(held), Prefer="wait=1").answer("POST")
    (approval,) = held.parts.pending(held.agent)
    assert is_pending(answer, approval["id"])
    assert "Ask a person" in answer.problem["detail"]
    (decided,) = held.parts.decided(held.agent)
    assert (decided["effect"], decided["code"], decided["approval"]) == ("pending", "pending", approval["id"])
    assert decided["action"] == answer.headers["x-aaf-action"]
    held.waiting(0)
    assert held.seen() == []


def test_the_agents_own_patience_counts(parts: Parts, upstream: Upstream) -> None:
    held = Held(parts, upstream, parts.agent("impatient", hold_seconds=0))
    try:
        answer = held.send(path_of(held)).answer("POST")
        assert is_pending(answer, parts.pending(held.agent)[0]["id"])
    finally:
        held.close()


def test_the_wish_to_wait_is_not_forwarded_but_other_preferences_are(held: Held) -> None:
    wire = held.send(path_of(held), Prefer="respond-async, wait=30")
    held.approve()
    assert wire.answer("POST").status == 200
    wire = held.send(path_of(held, "/2"), Prefer="wait=30")
    held.approve()
    assert wire.answer("POST").status == 200
    assert [seen.headers.get("prefer") for seen in held.seen()] == ["respond-async", None]


def test_the_same_request_again_attaches_to_the_same_approval(held: Held) -> None:
    first = held.ask(path_of(held))
    second = held.ask(path_of(held))
    third = held.send(path_of(held))
    held.waiting(1)
    (approval,) = held.parts.pending(held.agent)
    assert is_pending(first, approval["id"])
    assert is_pending(second, approval["id"])
    assert first.headers["x-aaf-action"] != second.headers["x-aaf-action"]
    held.approve()
    assert third.answer("POST").status == 200
    assert held.count() == 1
    assert len(held.parts.entries("approval.requested")) == len(held.parts.api.approvals())
    assert [entry["effect"] for entry in held.parts.decided(held.agent)] == ["pending", "pending", "allow"]
    assert {entry["approval"] for entry in held.parts.decided(held.agent)} == {approval["id"]}


def test_what_varies_without_meaning_does_not_open_another_approval(held: Held) -> None:
    held.ask(path_of(held), User_Agent="one", Traceparent="00-1-1-00")
    held.ask(path_of(held), User_Agent="two", Accept="*/*")
    assert held.count() == 1


def test_another_body_path_or_credential_is_another_approval(held: Held) -> None:
    held.ask(path_of(held))
    held.ask(path_of(held), b"amount=6")
    held.ask(path_of(held, "?x"))
    held.ask(path_of(held), Authorization="Bearer other")
    assert held.count() == 4


def test_an_approval_that_nobody_waits_for_lets_one_request_pass(held: Held) -> None:
    assert held.ask(path_of(held)).status == 503
    first = held.approve()
    assert held.seen() == []
    assert held.ask(path_of(held), b"amount=6").status == 503
    assert held.ask(path_of(held)).status == 200
    assert held.parts.api.call("GET", f"/v1/approvals/{first}")["status"] == "spent"
    again = held.ask(path_of(held))
    assert again.status == 503
    assert again.problem["approval_id"] != first
    assert [seen.body for seen in held.seen()] == [b"amount=5"]
    assert [entry["approval"] for entry in held.parts.entries("grant.spent") if entry["agent"] == held.agent.id] == [first]


def test_a_grant_ends(held: Held) -> None:
    held.ask(path_of(held))
    first = held.approve()
    held.parts.sql("update aaf.approvals set grant_until = clock_timestamp() where id = $1", first.removeprefix("apr_"))
    assert held.ask(path_of(held)).problem["type"].endswith(":expired")
    assert held.seen() == []


def test_a_client_that_leaves_is_noticed_and_its_approval_stays(held: Held) -> None:
    wire = held.send(path_of(held))
    held.waiting(1)
    wire.close()
    held.waiting(0)
    (decided,) = until(lambda: held.parts.decided(held.agent))
    (approval,) = held.parts.pending(held.agent)
    assert (decided["effect"], decided["code"], decided["approval"]) == ("pending", "client-left", approval["id"])
    held.approve()
    assert held.seen() == []
    assert held.ask(path_of(held)).status == 200


# --- several of the same ----------------------------------------------------------------------------------------------------


def test_of_several_identical_requests_the_oldest_passes_and_the_others_share_one_new_approval(held: Held) -> None:
    wires = []
    for number in range(4):
        wires.append(held.send(path_of(held), Prefer="wait=30"))
        held.waiting(number + 1)
    first = held.approve()
    assert wires[0].answer("POST").status == 200
    (second,) = held.parts.pending(held.agent)
    assert second["id"] != first
    assert all(wire.silent() for wire in wires[1:])
    held.waiting(3)
    held.approve()
    assert wires[1].answer("POST").status == 200
    (third,) = held.parts.pending(held.agent)
    held.parts.api.deny(third["id"], "enough")
    assert [wire.answer("POST").status for wire in wires[2:]] == [403, 403]
    assert len(held.seen()) == 2
    assert held.count() == 3


def test_the_next_in_line_goes_when_the_oldest_has_left(held: Held) -> None:
    first, second = held.send(path_of(held)), held.send(path_of(held))
    held.waiting(2)
    first.close()
    held.waiting(1)
    held.approve()
    assert second.answer("POST").status == 200
    assert len(held.seen()) == 1


def test_the_limit_of_held_requests_is_429(make_parts: PartsFactory, upstream: Upstream) -> None:
    parts = make_parts(AAF_HOLDS_PER_AGENT="2")
    held = Held(parts, upstream, parts.agent("busy"))
    other = Held(parts, upstream, parts.agent("calm"))
    try:
        wires = [held.send(path_of(held, f"/{number}")) for number in range(2)]
        held.waiting(2)
        answer = held.ask(path_of(held, "/3"))
        assert (answer.status, answer.headers["x-aaf-decision"]) == (429, "error")
        assert int(answer.headers["retry-after"]) > 0
        assert other.ask(path_of(other)).status == 503
        wires[0].close()
        held.waiting(1)
        assert held.ask(path_of(held, "/3")).status == 503
        assert [entry["code"] for entry in parts.decided(held.agent, effect="error")] == ["too-many-holds"]
    finally:
        held.close()
        other.close()


# --- large bodies -----------------------------------------------------------------------------------------------------------

LIMIT = 4 << 20


def test_a_body_over_the_limit_is_too_large_to_approve(held: Held) -> None:
    wire = held.open().send(head("POST", path_of(held), HOST, Content_Length=str(LIMIT + 1)))
    answer = wire.answer("POST")  # without a byte of the body
    assert (answer.status, answer.problem["detail"]) == (413, "too large to approve")
    assert held.count() == 0
    assert held.seen() == []
    assert [entry["code"] for entry in held.parts.decided(held.agent)] == ["body-too-large"]


def test_a_body_of_unknown_length_over_the_limit_is_too_large_to_approve(held: Held) -> None:
    wire = held.open().send(head("POST", path_of(held), HOST, Transfer_Encoding="chunked"))
    wire.send_what_can_be((b"10000\r\n" + bytes(1 << 16) + b"\r\n") * (LIMIT // (1 << 16)) + b"1\r\nx\r\n")
    answer = wire.answer("POST")
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert held.count() == 0
    assert held.seen() == []


def test_a_body_at_the_limit_can_be_approved(held: Held) -> None:
    body = os.urandom(LIMIT)
    wire = held.send(path_of(held), body)
    held.approve()
    assert wire.answer("POST").status == 200
    assert held.seen()[0].body == body


# --- what changes while a request is held -----------------------------------------------------------------------------------


def test_a_disabled_agents_tunnels_and_held_requests_end(held: Held) -> None:
    idle, waiting = held.open(), held.send(path_of(held))
    held.waiting(1)
    held.parts.api.disable(held.agent)
    disabled = time.monotonic()
    answer = waiting.answer("POST", seconds=2)
    assert (answer.status, answer.problem["type"].rpartition(":")[2]) == (403, "agent-disabled")
    assert idle.ended(max(0.1, 2 - (time.monotonic() - disabled))) == b""
    with Wire(held.agent.port) as again:
        assert again.send(connect_head(held.agent, f"{HOST}:443")).answer("CONNECT").status == 407
    (approval,) = held.parts.pending(held.agent)
    held.parts.api.approve(approval["id"])
    assert held.seen() == []
    assert [entry["code"] for entry in held.parts.decided(held.agent)] == ["agent-disabled"]


def test_a_rotated_token_ends_what_the_old_one_opened(held: Held) -> None:
    idle, waiting = held.open(), held.send(path_of(held))
    held.waiting(1)
    token = held.parts.api.rotate(held.agent)["token"]
    assert waiting.answer("POST", seconds=2).status == 403
    assert idle.ended(2) == b""
    old = held.agent
    with Wire(old.port) as again:
        assert again.send(connect_head(old, f"{HOST}:443")).answer("CONNECT").status == 407
    held.agent = Agent(id=old.id, name=old.name, token=token, port=old.port)
    assert is_pending(held.ask(path_of(held)), held.parts.pending(held.agent)[0]["id"])
    assert held.count() == 1


STRICTER = POLICY.replace(
    "rules:\n", "rules:\n  - id: no-more\n    effect: deny\n    hosts: [held.test]\n    reason: Not any more\n"
)
OTHERWISE = POLICY.replace("Nobody goes there", "Nobody ever goes there")
OPENED = POLICY.replace("effect: require_approval\n    hosts: [held.test]", "effect: allow\n    hosts: [held.test]")


@pytest.fixture
def restored(parts: Parts) -> Iterator[None]:
    """Puts the policy back that the other tests of this module need."""
    yield
    revision = parts.activate(POLICY)
    probe = parts.agent(f"probe-{time.monotonic_ns()}")

    def active() -> bool:
        with tunnel(probe, "closed.test", parts.ca_file) as wire:
            wire.send(request("GET", "/", "closed.test")).answer()
        return bool(parts.decided(probe)[-1]["revision"] == revision)

    until(active)


@pytest.mark.usefixtures("restored")
def test_a_policy_that_became_stricter_denies_what_was_approved(held: Held) -> None:
    wire = held.send(path_of(held))
    held.waiting(1)
    revision = held.parts.activate(STRICTER)
    held.approve()
    answer = wire.answer("POST")
    assert (answer.status, answer.problem["detail"], answer.problem["rules"]) == (403, "Not any more", ["no-more"])
    assert held.seen() == []
    (decided,) = held.parts.decided(held.agent)
    assert (decided["effect"], decided["revision"]) == ("deny", revision)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("changed", [OTHERWISE, OPENED], ids=["otherwise", "opened"])
def test_an_approval_outlives_a_policy_that_is_no_stricter(held: Held, changed: str) -> None:
    wire = held.send(path_of(held))
    held.waiting(1)
    revision = held.parts.activate(changed)
    held.approve()
    assert wire.answer("POST").status == 200
    (decided,) = held.parts.decided(held.agent)
    assert (decided["effect"], decided["revision"]) == ("allow", revision)
    assert len(held.seen()) == 1


# --- several processes ------------------------------------------------------------------------------------------------------


def test_pending_approvals_outlive_the_gateway(make_parts: PartsFactory, upstream: Upstream) -> None:
    parts = make_parts()
    held = Held(parts, upstream, parts.agent("patient"))
    try:
        waiting = held.send(path_of(held))
        held.waiting(1)
        (approval,) = parts.pending(held.agent)
        parts.gateway.stop()
        assert is_pending(waiting.answer("POST"), approval["id"])
        parts.gateway.start()
        second = held.send(path_of(held))
        held.waiting(1)
        parts.gateway.crash()
        with pytest.raises((http.client.HTTPException, OSError)):
            second.answer("POST")
        parts.api.approve(approval["id"])
        parts.gateway.start()
        assert held.ask(path_of(held)).status == 200
        assert held.count() == 1
        assert len(held.seen()) == 1
    finally:
        held.close()


@pytest.fixture(scope="module")
def pair(make_parts: PartsFactory) -> Parts:
    """Two gateways on one database, the first with two workers."""
    parts = make_parts(AAF_GATEWAY_WORKERS="2")
    second = parts.another_gateway(AAF_GATEWAY_WORKERS="1")
    second.start()
    until(second.ready)
    return parts


def test_an_approval_releases_what_another_gateway_holds(pair: Parts, upstream: Upstream) -> None:
    one, two = pair.gateways
    held = Held(pair, upstream, pair.agent("across"))
    try:
        assert held.ask(path_of(held), gateway=one).status == 503
        wire = held.send(path_of(held), gateway=two)
        held.waiting(1)
        held.approve()
        assert wire.answer("POST").status == 200
        assert held.count() == 1
        assert held.ask(path_of(held), b"grant", gateway=one).status == 503
        held.approve()
        assert held.ask(path_of(held), b"grant", gateway=two).status == 200
        assert held.ask(path_of(held), b"grant", gateway=one).status == 503
        assert [seen.body for seen in held.seen()] == [b"amount=5", b"grant"]
    finally:
        held.close()


def test_the_oldest_passes_whichever_gateway_holds_it(pair: Parts, upstream: Upstream) -> None:
    one, two = pair.gateways
    held = Held(pair, upstream, pair.agent("oldest"))
    try:
        wires = []
        for number, gateway in enumerate((two, one, two)):
            wires.append(held.send(path_of(held), gateway=gateway))
            held.waiting(number + 1)
        for wire in wires:
            held.approve()
            assert wire.answer("POST").status == 200
        assert len(held.seen()) == 3
        assert held.count() == 3
    finally:
        held.close()


def test_workers_that_race_for_one_grant_spend_it_once(pair: Parts, upstream: Upstream) -> None:
    held = Held(pair, upstream, pair.agent("racing"))
    try:
        racers = spread(held, 4)
        for number in range(3):
            path = path_of(held, f"/{number}")
            assert held.ask(path).status == 503
            first = held.approve()
            for wire in racers:
                wire.send(request("POST", path, HOST, b"amount=5", Prefer="wait=5"))
            until(partial(held.has_passed, number + 1))
            (second,) = pair.pending(held.agent)
            pair.api.deny(second["id"])
            statuses = sorted(wire.answer("POST").status for wire in racers)
            assert statuses == [200, *[403] * (len(racers) - 1)]
            spent = [entry for entry in pair.entries("grant.spent") if entry["approval"] == first]
            assert len(spent) == 1
        assert len(held.seen()) == 3
        assert held.count() == 6
        assert len({entry["writer"]["id"] for entry in pair.decided(held.agent, effect="deny")}) == 2
    finally:
        held.close()


def spread(held: Held, each: int) -> list[Wire]:
    """Connections to the first gateway, `each` in every one of its workers: the others stand still while it accepts them."""
    workers, wires = held.parts.gateway.workers(), []
    assert len(workers) == 2
    for worker in workers:
        others = [pid for pid in workers if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            wires += [held.open() for _ in range(each)]
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
    return wires
