"""What the gateway answers when something is wrong, down to the byte, and that nothing of it reaches the destination."""

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PartsFactory, name_of
from tests.e2e.parts import Agent, Parts, until
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import LoopThread, Misbehaving, Upstream
from tests.e2e.wire import Answer, Wire, connect_head, credential, head, opened, request, tunnel

pytestmark = pytest.mark.xdist_group("e2e-path")

HEADS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "heads.json").read_text())["refused"]
STRANGE_PORTS = (53, 853, 5353, 8443)

POLICY = f"""
version: 1
default: deny
rules:
  - id: open
    effect: allow
    hosts: [open.test, sink.test, switch.test, nowhere.invalid, localhost, "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"]
    reason: Open to everyone
  - id: held
    effect: require_approval
    hosts: [held.test, held.invalid]
    reason: Ask a person
  - id: closed-for-good
    effect: deny
    hosts: [closed.test, closed.invalid]
    reason: Nobody goes there
destinations:
  ports: [80, 443, {", ".join(map(str, STRANGE_PORTS))}]
"""  # noqa: E501 (one list)


async def _swallow(reader: Any, writer: Any) -> None:
    await reader.head()


async def _switch(reader: Any, writer: Any) -> None:
    await reader.head()
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\nraw bytes from the destination")
    await writer.drain()
    await reader.head()


@pytest.fixture(scope="module")
def sink(loop_thread: LoopThread) -> Iterator[Misbehaving]:
    """Whatever leads here must never be dialled."""
    made = Misbehaving(loop_thread, _swallow)
    made.start()
    yield made
    assert made.connections == 0
    made.stop()


@pytest.fixture(scope="module")
def switch(loop_thread: LoopThread, authority: TestAuthority) -> Iterator[Misbehaving]:
    """Answers every request with another protocol."""
    made = Misbehaving(loop_thread, _switch, authority.issue("switch.test"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory, upstream: Upstream, sink: Misbehaving, switch: Misbehaving) -> Parts:
    hosts = ("open.test", "held.test", "closed.test")
    routes = [f"{host}:443:127.0.0.1:{upstream.https_port},{host}:80:127.0.0.1:{upstream.http_port}" for host in hosts]
    routes += [f"sink.test::127.0.0.1:{sink.port}", f"switch.test:443:127.0.0.1:{switch.port}"]
    return make_parts(policy_text=POLICY, AAF_CONNECT_TO=",".join(routes))


@pytest.fixture
def agent(parts: Parts, upstream: Upstream, request: pytest.FixtureRequest) -> Agent:
    upstream.log.requests.clear()
    return parts.agent(name_of(request))


def is_ours(answer: Answer, status: int, decision: str, *, identified: bool = True) -> dict[str, Any]:
    """The problem document of an answer that the firewall itself gives, with every field that CONTRACT.md names."""
    problem = answer.problem
    assert (answer.status, answer.headers["x-aaf-decision"]) == (status, decision), (answer, problem)
    assert problem["status"] == ("pending" if decision == "pending" else status)
    assert problem["type"].startswith("urn:aaf:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["rules"], list)
    assert problem.get("action_id") == answer.headers.get("x-aaf-action")
    assert identified == str(problem.get("action_id", "")).startswith("act_")
    return problem


def codes(parts: Parts, agent: Agent) -> list[tuple[str, str | None]]:
    return [(entry["effect"], entry.get("code")) for entry in parts.decided(agent)]


# --- who asks ---------------------------------------------------------------------------------------------------------------


def encoded(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def wrong_credentials(agent: Agent, other: Agent) -> dict[str, list[str]]:
    return {
        "none": [],
        "empty": [""],
        "another scheme": [f"Bearer {agent.token}"],
        "not base64": ["Basic *****"],
        "no colon": [encoded(agent.name)],
        "not UTF-8": ["Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()],
        "unknown agent": [encoded(f"nobody:{agent.token}")],
        "wrong token": [encoded(f"{agent.name}:{'x' * 43}")],
        "another agent's token": [encoded(f"{agent.name}:{other.token}")],
        "no token": [encoded(f"{agent.name}:")],
        "token with more behind it": [encoded(f"{agent.name}:{agent.token}x")],
        "two of them": [credential(agent), credential(agent)],
        "endless": ["Basic " + "A" * 5000],
    }


def test_without_a_good_credential_there_is_407_and_no_entry(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    before = len(parts.entries("action.decided"))
    for name, values in wrong_credentials(agent, parts.agent("somebody-else")).items():
        fields = "".join(f"Proxy-Authorization: {value}\r\n" for value in values)
        for line in ("CONNECT open.test:443", "GET http://open.test/"):
            with Wire(agent.port) as wire:
                wire.send(f"{line} HTTP/1.1\r\nHost: open.test\r\n{fields}\r\n".encode())
                answer = wire.answer(line.split()[0])
                is_ours(answer, 407, "error", identified=False)
                assert answer.headers["proxy-authenticate"] == 'Basic realm="aaf"', name
    assert len(parts.entries("action.decided")) == before
    assert upstream.log.requests == []


def test_the_agents_identifier_is_as_good_as_its_name(parts: Parts, agent: Agent) -> None:
    by_id = Agent(id=agent.id, name=agent.id, token=agent.token, port=agent.port)
    with tunnel(by_id, "open.test", parts.ca_file) as wire:
        assert wire.send(request("GET", "/", "open.test")).answer().status == 200
    assert parts.decided(agent)[0]["agent_name"] == agent.name


def test_a_client_may_try_again_with_its_credential_on_the_same_connection(parts: Parts, agent: Agent) -> None:
    with Wire(agent.port) as wire:
        assert wire.send(b"CONNECT open.test:443 HTTP/1.1\r\nHost: open.test:443\r\n\r\n").answer("CONNECT").status == 407
        assert wire.send(connect_head(agent, "open.test:443")).answer("CONNECT").status == 200
        wire.start_tls("open.test", parts.ca_file)
        assert wire.send(request("GET", "/", "open.test")).answer().status == 200


def test_a_credential_never_leaves(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    inside: dict[str, str] = {"Proxy_Authorization": encoded("nobody:nothing"), "Proxy_Connection": "keep-alive"}
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        assert wire.send(request("GET", "/inside", "open.test", **inside)).answer().status == 200
    with Wire(agent.port) as wire:
        plain = {"Proxy_Authorization": credential(agent), "Proxy_Connection": "keep-alive"}
        assert wire.send(request("GET", "http://open.test/plain", "open.test", **plain)).answer().status == 200
    assert [seen.path for seen in upstream.log.requests] == ["/inside", "/plain"]
    assert not [name for seen in upstream.log.requests for name in seen.headers if name.startswith("proxy-")]


# --- CONNECT ----------------------------------------------------------------------------------------------------------------


def test_a_port_that_the_policy_does_not_name_is_refused_at_connect(parts: Parts, agent: Agent) -> None:
    with Wire(agent.port) as wire:
        answer = wire.send(connect_head(agent, "open.test:22")).answer("CONNECT")
    problem = is_ours(answer, 403, "deny")
    assert "22" in problem["detail"]
    assert problem["action_id"] in answer.reason  # clients drop the body of a refused CONNECT
    (decided,) = parts.decided(agent)
    assert (decided["name"], decided["effect"], decided["host"], decided["port"]) == ("http:CONNECT", "deny", "open.test", 22)
    assert decided["action"] == problem["action_id"]


@pytest.mark.parametrize(
    "spelling",
    ["open.test", "open.test:", "open.test:0", "open.test:70000", "open.test:4٤3", "open.test:+443", "[::1]443", ":443", "a..b:443", "1.2.3:443", "0x7f.1:443", "010.0.0.1:443"],  # noqa: E501
)  # fmt: skip
def test_an_odd_authority_is_refused(parts: Parts, agent: Agent, spelling: str) -> None:
    with Wire(agent.port) as wire:
        wire.send(connect_head(agent, spelling))
        answer = wire.answer("CONNECT")
        assert answer.status == 400, answer
        assert wire.ended() == b""
    assert all(effect == "error" for effect, _ in codes(parts, agent))


def test_a_body_on_connect_is_refused(parts: Parts, agent: Agent) -> None:
    with Wire(agent.port) as wire:
        wire.send(connect_head(agent, "open.test:80").replace(b"\r\n\r\n", b"\r\nContent-Length: 30\r\n\r\n"))
        wire.send(request("GET", "/smuggled", "open.test"))
        is_ours(wire.answer("CONNECT"), 400, "error", identified=False)
        wire.ended()
    assert codes(parts, agent) == []


# --- malformed requests -----------------------------------------------------------------------------------------------------


def test_every_ambiguous_head_is_refused_end_to_end(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    inside = 0
    for case in HEADS:
        attack = str(case["head"]).encode("latin-1")
        if case["inside"]:
            inside += 1
            wire = tunnel(agent, "open.test", parts.ca_file)
        else:
            wire = Wire(agent.port)
        with wire:
            wire.send_what_can_be(attack)
            answer = wire.answer()
            is_ours(answer, 400, "error", identified=bool(case["inside"]))
            assert wire.ended() == b"", case["attack"]
    assert codes(parts, agent) == [("error", "malformed")] * inside
    assert upstream.log.requests == []


@pytest.mark.parametrize(
    ("attack", "status"),
    [(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: open.test\r\n\r\n", 414),
     (b"GET / HTTP/1.1\r\nHost: open.test\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431)],
    ids=["target", "head"],
)  # fmt: skip
def test_what_is_too_long_is_refused(parts: Parts, agent: Agent, attack: bytes, status: int) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        wire.send_what_can_be(attack)
        is_ours(wire.answer(), status, "error")
    with Wire(agent.port) as wire:
        wire.send_what_can_be(attack)
        is_ours(wire.answer(), status, "error", identified=False)


@pytest.mark.parametrize("target", ["/a//b", "/a/../b", "/a/%2e%2e/b", "/a/%252e", "/a%2Fb", "/a\\b", "/%zz", "/%00", "/a/..;/b"])
def test_an_ambiguous_path_is_refused(parts: Parts, agent: Agent, upstream: Upstream, target: str) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        is_ours(wire.send(request("GET", target, "open.test")).answer(), 400, "error")
        assert wire.send(request("GET", "/fine", "open.test")).answer().status == 200
    assert codes(parts, agent) == [("error", "malformed"), ("allow", None)]
    assert [seen.path for seen in upstream.log.requests] == ["/fine"]


# --- where to ---------------------------------------------------------------------------------------------------------------


def test_host_must_be_where_connect_went(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    for host in ("closed.test", "open.test:80", "open.test.closed.test", "127.0.0.1"):
        with tunnel(agent, "open.test", parts.ca_file) as wire:
            is_ours(wire.send(request("GET", "/", host)).answer(), 421, "error")
    for host in ("open.test", "OPEN.test", "open.test:443"):
        with tunnel(agent, "open.test", parts.ca_file) as wire:
            assert wire.send(request("GET", "/", host)).answer().status == 200
    assert codes(parts, agent) == [("error", "misdirected")] * 4 + [("allow", None)] * 3
    assert len(upstream.log.requests) == 3


def test_the_tls_server_name_must_be_where_connect_went(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    for host in ("open.test", "closed.test"):
        with tunnel(agent, "open.test", parts.ca_file, sni="closed.test") as wire:
            is_ours(wire.send(request("GET", "/", host)).answer(), 421, "error")
    assert codes(parts, agent) == [("error", "misdirected")] * 2
    assert upstream.log.requests == []


def test_a_plain_request_goes_where_its_target_says_and_host_must_agree(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    identity = {"Proxy_Authorization": credential(agent)}
    with Wire(agent.port) as wire:
        is_ours(wire.send(request("GET", "http://open.test/", "closed.test", **identity)).answer(), 421, "error")
    with Wire(agent.port) as wire:
        is_ours(wire.send(request("GET", "http://closed.test/", "open.test", **identity)).answer(), 421, "error")
    assert upstream.log.requests == []


@pytest.mark.parametrize(
    "spelling",
    ["127.0.0.1:443", "10.0.0.1:80", "169.254.169.254:80", "[::1]:443", "[::ffff:127.0.0.1]:443", "localhost:443", "localhost:80"],
)
def test_a_private_address_is_refused_although_a_rule_allows_the_host(parts: Parts, agent: Agent, spelling: str) -> None:
    host, _, port = spelling.rpartition(":")
    with opened(agent, spelling) as wire:
        if port == "443":
            wire.start_tls(host.strip("[]"), parts.ca_file)
        problem = is_ours(wire.send(request("GET", "/", spelling)).answer(), 403, "deny")
    assert problem["type"].endswith(":address")
    assert codes(parts, agent) == [("deny", "address")]


def test_a_name_is_resolved_only_for_what_is_not_denied(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "closed.invalid", parts.ca_file) as wire:
        is_ours(wire.send(request("GET", "/", "closed.invalid")).answer(), 403, "deny")
    for host in ("nowhere.invalid", "held.invalid"):
        with tunnel(agent, host, parts.ca_file) as wire:
            is_ours(wire.send(request("GET", "/", host)).answer(), 502, "error")
    assert codes(parts, agent) == [("deny", "policy"), ("error", "not-resolved"), ("error", "not-resolved")]
    assert parts.api.approvals("pending") == []


# --- other protocols --------------------------------------------------------------------------------------------------------

DNS = bytes.fromhex("001d000101000001000000000000046f70656e04746573740000010001")
PROTOCOLS = {
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "dns": DNS,
    "smtp": b"EHLO open.test\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "nulls": bytes(64),
    "one letter": b"G",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "half a request": b"GET / HT",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_neither_tls_nor_http_finds_no_way_through(parts: Parts, agent: Agent, protocol: str) -> None:
    """That nothing was dialled is asserted by `sink` when all are done."""
    for port in (443, 80, *STRANGE_PORTS):
        with opened(agent, f"sink.test:{port}") as wire:
            wire.send_what_can_be(PROTOCOLS[protocol])
            if port == 80 and protocol in {"one letter", "half a request"}:
                assert wire.silent()  # a request that may still become one; nothing of it leaves
            else:
                assert wire.ended().startswith((b"", b"HTTP/1.1 400 "))
    assert all(effect == "error" for effect, _ in codes(parts, agent))


def test_plain_http_inside_a_tunnel_is_judged_on_port_80_alone(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    with opened(agent, "open.test:80") as wire:
        assert wire.send(request("GET", "/plain", "open.test")).answer().body == b"reached /plain"
        is_ours(wire.send(request("GET", "/plain", "closed.test")).answer(), 421, "error")
    with opened(agent, "closed.test:80") as wire:
        is_ours(wire.send(request("GET", "/plain", "closed.test")).answer(), 403, "deny")
    with opened(agent, "open.test:443") as wire:
        assert wire.send(request("GET", "/plain", "open.test")).ended() == b""
    assert [seen.path for seen in upstream.log.requests] == ["/plain"]
    assert [(entry["scheme"], entry["port"], entry["effect"]) for entry in parts.decided(agent)] == [
        ("http", 80, "allow"), ("http", 80, "error"), ("http", 80, "deny"),
    ]  # fmt: skip


def test_tls_to_port_80_is_read_and_judged_like_any(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    with tunnel(agent, "closed.test", parts.ca_file, port=80) as wire:
        is_ours(wire.send(request("GET", "/", "closed.test:80")).answer(), 403, "deny")
    assert upstream.log.requests == []
    assert codes(parts, agent) == [("deny", "policy")]


def test_what_is_not_http_inside_tls_is_refused(parts: Parts, agent: Agent) -> None:
    for protocol in ("ssh", "dns", "nulls", "http/2"):
        with tunnel(agent, "sink.test", parts.ca_file) as wire:
            wire.send_what_can_be(PROTOCOLS[protocol] + b"\r\n\r\n")
            is_ours(wire.answer(), 400, "error")


def test_a_tunnel_offers_http_1_alone(parts: Parts, agent: Agent) -> None:
    with opened(agent, "open.test:443") as wire:
        context = ssl.create_default_context(cafile=parts.ca_file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        secure = context.wrap_socket(wire._socket, server_hostname="open.test")
        with secure:
            assert secure.selected_alpn_protocol() == "http/1.1"


def test_an_upgrade_that_nobody_reads_is_not_passed_on(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    upgrades = {"Upgrade": "connect-udp, raw", "Connection": "Upgrade, HTTP2-Settings, keep-alive", "HTTP2_Settings": "AAMAAABk"}
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        assert wire.send(request("GET", "/upgrade", "open.test", **upgrades)).answer().status == 200
        assert wire.send(request("GET", "/next", "open.test")).answer().status == 200
    first, _ = upstream.log.requests
    assert not {"upgrade", "http2-settings"} & set(first.headers)


def test_a_destination_that_changes_protocol_unasked_is_cut_off(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "switch.test", parts.ca_file) as wire:
        wire.send(request("GET", "/", "switch.test"))
        answer = wire.answer()
        is_ours(answer, 502, "error")
        wire.send_what_can_be(b"raw bytes from the agent\r\n\r\n")
        assert b"raw bytes" not in answer.body + wire.ended()
    (decided,) = parts.decided(agent)
    outcome = parts.outcome(decided["action"])
    assert (decided["effect"], outcome["event"], outcome["code"]) == ("allow", "action.failed", "upgrade")


# --- answers ----------------------------------------------------------------------------------------------------------------


def test_the_destination_cannot_speak_for_the_firewall(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        answer = wire.send(request("GET", "/forged", "open.test")).answer()
    assert (answer.status, answer.body) == (200, b"forged")
    assert not [name for name in answer.headers if name.startswith("x-aaf-")]


def test_a_forwarded_refusal_stays_the_destinations_own(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        for status in (403, 404, 407, 503):
            answer = wire.send(request("GET", f"/status/{status}", "open.test")).answer()
            assert (answer.status, answer.body) == (status, b"as asked")
            assert not [name for name in answer.headers if name.startswith("x-aaf-")]
    assert codes(parts, agent) == [("allow", None)] * 4


def test_an_answer_to_head_has_no_body(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "closed.test", parts.ca_file) as wire:
        for _ in range(2):
            answer = wire.send(request("HEAD", "/", "closed.test")).answer("HEAD")
            assert (answer.status, answer.headers["x-aaf-decision"], answer.body) == (403, "deny", b"")
            assert int(answer.headers["content-length"]) > 0
        assert wire.send(request("GET", "/", "closed.test")).answer().problem["detail"] == "Nobody goes there"
    with tunnel(agent, "held.test", parts.ca_file) as wire:
        answer = wire.send(request("HEAD", "/", "held.test", Prefer="wait=0")).answer("HEAD")
        assert (answer.status, answer.body) == (503, b"")
        assert wire.silent()


def test_a_connection_serves_on_after_a_denial(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    with Wire(agent.port) as wire:
        for host, status in (("open.test", 200), ("closed.test", 403), ("open.test", 200)):
            identity = {"Proxy_Authorization": credential(agent)}
            assert wire.send(request("POST", f"http://{host}/", host, b"body", **identity)).answer("POST").status == status
    assert [seen.body for seen in upstream.log.requests] == [b"body", b"body"]


def test_a_denial_does_not_wait_for_the_body(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "closed.test", parts.ca_file) as wire:
        wire.send(head("POST", "/", "closed.test", Content_Length=str(1 << 40)) + b"the first few bytes")
        answer = wire.answer("POST")
        is_ours(answer, 403, "deny")
        assert answer.headers["connection"] == "close"


def test_requests_sent_together_are_judged_one_by_one(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        both = request("POST", "/1", "open.test", b"one") + request("GET", "/a//b", "open.test") + request("GET", "/3", "open.test")
        wire.send(both)
        assert [wire.answer().status for _ in range(3)] == [200, 400, 200]
    assert [seen.path for seen in upstream.log.requests] == ["/1", "/3"]
    assert codes(parts, agent) == [("allow", None), ("error", "malformed"), ("allow", None)]


@pytest.mark.parametrize(("host", "status"), [("open.test", 200), ("closed.test", 403)])
def test_a_client_that_waits_to_be_told_to_go_on_is_told(parts: Parts, agent: Agent, host: str, status: int) -> None:
    with tunnel(agent, host, parts.ca_file) as wire:
        wire.send(head("POST", "/", host, Content_Length="4", Expect="100-continue"))
        if status == 200:
            assert wire.line() == b"HTTP/1.1 100 Continue\r\n"
            assert wire.line() == b"\r\n"
            wire.send(b"body")
        assert wire.answer("POST").status == status


def test_a_client_that_leaves_during_the_answer_is_recorded(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        wire.send(request("GET", "/events", "open.test"))
        until(lambda: upstream.log.requests)
    (decided,) = parts.decided(agent)
    outcome = parts.outcome(decided["action"])
    assert (outcome["event"], outcome["code"]) == ("action.failed", "abandoned")
    upstream.step(None)


def test_the_chain_of_all_this_is_whole(parts: Parts) -> None:
    parts.agent("the-last-one")
    verified = parts.api.call("POST", "/v1/audit/verify", {})
    assert verified["ok"], verified
