"""What the real gateway dials, and what it does not: our own sockets, names of /etc/hosts, hosts that are passed through, and the
way through an upstream proxy."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import PartsFactory, name_of
from tests.e2e.parts import Agent, Parts, until
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import LoopThread, Misbehaving, Upstream
from tests.e2e.wire import Answer, Wire, connect_head, credential, opened, request

pytestmark = pytest.mark.xdist_group("e2e-egress")

POLICY = """
version: 1
rules:
  - {{id: here, effect: allow, hosts: [localhost, "127.0.0.1", "::ffff:127.0.0.1"]}}
  - {{id: pinned, effect: allow, hosts: [git.test]}}
  - {{id: pinned-held, effect: require_approval, hosts: [held.test]}}
destinations:
  ports: [443, {ports}]
  allow_private: ["127.0.0.0/8", "::1/128"]
  pass_through: [git.test, held.test]
"""


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory, upstream: Upstream) -> Parts:
    routes = ",".join(f"{host}:443:127.0.0.1:{upstream.https_port}" for host in ("git.test", "held.test"))
    made = make_parts(start=False, AAF_CONNECT_TO=routes)
    listening = (made.gateway.port, made.gateway.admin_port, api_port(made), upstream.http_port)
    made.policy_file.write_text(POLICY.format(ports=", ".join(map(str, listening))))
    made.start()
    return made


@pytest.fixture
def agent(parts: Parts, upstream: Upstream, request: pytest.FixtureRequest) -> Agent:
    upstream.log.requests.clear()
    return parts.agent(name_of(request), hold_seconds=1)


def api_port(parts: Parts) -> int:
    return urlsplit(parts.api.url).port or 0


def plainly(agent: Agent, host: str, port: int, path: str = "/") -> Answer:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with Wire(agent.port) as wire:
        wire.send(request("GET", f"http://{authority}{path}", authority, Proxy_Authorization=credential(agent)))
        return wire.answer()


@pytest.mark.parametrize("which", ["proxy", "admin", "api"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "localhost"])
def test_a_socket_of_ours_is_out_of_reach_where_the_policy_names_its_range(
    parts: Parts, agent: Agent, which: str, host: str
) -> None:
    port = {"proxy": parts.gateway.port, "admin": parts.gateway.admin_port, "api": api_port(parts)}[which]
    answer = plainly(agent, host, port, "/health/live")
    assert (answer.status, answer.headers["x-aaf-decision"]) == (403, "deny")
    assert "is a socket of this firewall" in answer.problem["detail"]
    assert [(entry["effect"], entry["code"]) for entry in parts.decided(agent)] == [("deny", "address")]


def test_what_else_listens_there_is_reached_by_a_name_of_the_hosts_file(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    for _ in range(2):
        assert plainly(agent, "localhost", upstream.http_port, "/a").body == b"reached /a"
    assert {entry["address"] for entry in parts.decided(agent)} <= {"127.0.0.1", "::1"}
    assert len(upstream.log.requests) == 2


def test_a_name_that_does_not_exist_is_said_so(parts: Parts, agent: Agent) -> None:
    parts.activate(POLICY.format(ports="80").replace("localhost", "nowhere.invalid"))
    answer = until(lambda: found if (found := plainly(agent, "nowhere.invalid", 80)).status != 403 else None)
    assert answer is not None
    assert (answer.status, answer.problem["type"]) == (502, "urn:aaf:problem:not-resolved")
    parts.activate(parts.policy_file.read_text())


def test_a_host_that_is_passed_through_shows_its_own_certificate_and_one_opaque_action(
    parts: Parts, agent: Agent, authority: TestAuthority, upstream: Upstream
) -> None:
    with opened(agent, "git.test:443") as wire:
        wire.start_tls("git.test", authority.file)
        for _ in range(2):
            wire.send(request("GET", "/a", "git.test"))
            assert wire.answer().body == b"reached /a"
    (decided,) = parts.decided(agent)
    assert (decided["name"], decided["kind"], decided["opaque"], decided["rules"]) == ("http:CONNECT", "unknown", True, ["pinned"])
    completed = parts.outcome(decided["action"])
    assert completed["event"] == "action.completed"
    assert completed["request_bytes"] > 100
    assert parts.verify() is None


def test_a_host_that_is_passed_through_can_be_held_and_its_grant_is_spent_once(
    parts: Parts, agent: Agent, authority: TestAuthority
) -> None:
    for _ in range(2):
        with Wire(agent.port) as wire:
            answer = wire.send(connect_head(agent, "held.test:443")).answer("CONNECT")
            assert (answer.status, answer.headers["x-aaf-decision"]) == (503, "pending")
    (approval,) = parts.pending(agent)
    parts.api.approve(approval["id"])
    with opened(agent, "held.test:443") as wire:
        wire.start_tls("held.test", authority.file)
        wire.send(request("GET", "/a", "held.test"))
        assert wire.answer().body == b"reached /a"
    with Wire(agent.port) as wire:
        assert wire.send(connect_head(agent, "held.test:443")).answer("CONNECT").status == 503
    assert [entry["effect"] for entry in parts.decided(agent)] == ["pending", "pending", "allow", "pending"]


# --- an upstream proxy


async def _refuse(reader: Any, writer: Any) -> None:
    await reader.head()
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


@pytest.fixture
def proxy(loop_thread: LoopThread) -> Iterator[Misbehaving]:
    made = Misbehaving(loop_thread, _refuse)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("resolves", ["no", "yes"])
def test_an_upstream_proxy_is_asked_for_the_checked_address_or_for_the_name(
    make_parts: PartsFactory, proxy: Misbehaving, upstream: Upstream, resolves: str
) -> None:
    policy = POLICY.format(ports=upstream.http_port)
    settings = {"AAF_UPSTREAM_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy.port}", "AAF_UPSTREAM_PROXY_RESOLVES": resolves}
    parts = make_parts(policy_text=policy, AAF_CONNECT_TO="", **settings)
    agent = parts.agent("behind-a-proxy")
    upstream.log.requests.clear()
    answer = plainly(agent, "localhost", upstream.http_port)
    assert answer.status == 502
    assert "refused with 407" in answer.problem["detail"]
    first, *fields = bytes(proxy.received).decode().split("\r\n\r\n")[0].split("\r\n")
    (decided,) = parts.decided(agent)
    asked = first.split(" ")[1].rpartition(":")[0].strip("[]")
    assert (asked, decided["address"]) == (("localhost", "unchecked") if resolves == "yes" else (decided["address"],) * 2)
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}" in fields
    assert upstream.log.requests == []
