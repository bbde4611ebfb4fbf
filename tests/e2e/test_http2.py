"""Clients that speak HTTP/2 alone, through a gateway as it ships, to destinations that speak HTTP/1.1 and HTTP/2: httpx here,
gRPC in `test_grpc`."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pytest

from tests.e2e.conftest import PartsFactory, name_of
from tests.e2e.http2_upstream import Http2Upstream
from tests.e2e.parts import Agent, Parts, until
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import Log, LoopThread, Upstream

pytestmark = pytest.mark.xdist_group("e2e-http2")

POLICY = """
version: 1
default: deny
rules:
  - id: open
    effect: allow
    hosts: [open.test, open.two.test]
  - id: held
    effect: require_approval
    hosts: [held.test, held.two.test]
    reason: Ask a person
  - id: closed
    effect: deny
    hosts: [closed.test, closed.two.test]
    reason: Nobody goes there
"""
SECONDS = 60


class Destination(Protocol):
    log: Log

    def step(self, event: str | None) -> None: ...


def http2_alone(parts: Parts, agent: Agent) -> dict[str, Any]:
    """A client of httpx's that would speak HTTP/1.1 to nobody."""
    tls = ssl.create_default_context(cafile=parts.ca_file)
    limits = httpx.Limits(max_connections=1)
    return {
        "http1": False, "http2": True, "proxy": agent.proxy_url, "trust_env": False, "verify": tls,
        "limits": limits, "timeout": SECONDS,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What requests of one test go to. `suffix`: of its hosts."""

    parts: Parts
    agent: Agent
    destination: Destination
    suffix: str
    client: httpx.Client
    threads: ThreadPoolExecutor

    def url(self, host: str, path: str = "/") -> str:
        return f"https://{host}.{self.suffix}{path}"

    def ask(self, method: str, host: str, path: str = "/", **more: Any) -> httpx.Response:
        answer = self.client.request(method, self.url(host, path), **more)
        assert answer.http_version == "HTTP/2"
        return answer

    def at_once(self) -> httpx.AsyncClient:
        """A client for many requests at once, on one connection to each host."""
        return httpx.AsyncClient(**http2_alone(self.parts, self.agent))

    def start(self, method: str, host: str, path: str = "/", **more: Any) -> "Future[httpx.Response]":
        """Asks on a thread, and does not wait."""
        return self.threads.submit(self.ask, method, host, path, **more)

    def approve(self) -> None:
        (approval,) = self.parts.pending(self.agent)
        self.parts.api.approve(approval["id"])

    def effects(self) -> list[str]:
        return [entry["effect"] for entry in self.parts.decided(self.agent)]


@pytest.fixture(scope="module")
def two(loop_thread: LoopThread, authority: TestAuthority) -> Iterator[Http2Upstream]:
    made = Http2Upstream(loop_thread, authority.issue("open.two.test", "held.two.test", "closed.two.test"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory, upstream: Upstream, two: Http2Upstream) -> Parts:
    routing = [f"{name}.two.test:443:127.0.0.1:{two.https_port}" for name in ("open", "held", "closed")]
    return make_parts(policy_text=POLICY, AAF_CONNECT_TO=",".join([*routing, f":443:127.0.0.1:{upstream.https_port}"]))


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def site(parts: Parts, upstream: Upstream, two: Http2Upstream, request: pytest.FixtureRequest) -> Iterator[Site]:
    destination: Destination = two if request.param == "HTTP/2" else upstream
    destination.log.requests.clear()
    agent = parts.agent(name_of(request))
    with httpx.Client(**http2_alone(parts, agent)) as client, ThreadPoolExecutor() as threads:
        yield Site(
            parts=parts, agent=agent, destination=destination, suffix="two.test" if destination is two else "test",
            client=client, threads=threads,
        )  # fmt: skip


def test_what_is_allowed_passes(site: Site) -> None:
    answer = site.ask("POST", "open", "/a?b=c", content=b"body", headers={"X-Custom": "as it was", "Cookie": "a=1; b=2"})
    assert (answer.status_code, answer.text) == (200, "reached /a?b=c")
    (seen,) = site.destination.log.requests
    assert (seen.method, seen.path, seen.body) == ("POST", "/a?b=c", b"body")
    assert (seen.headers["x-custom"], seen.headers["cookie"]) == ("as it was", "a=1; b=2")
    assert not [name for name in seen.headers if name.startswith(("proxy-", "x-aaf-"))]
    (decided,) = site.parts.decided(site.agent)
    outcome = site.parts.outcome(decided["action"])
    assert (outcome["event"], outcome["status"], outcome["request_bytes"]) == ("action.completed", 200, 4)


def test_what_is_denied_says_why_and_reaches_nobody(site: Site) -> None:
    answer = site.ask("GET", "closed")
    assert (answer.status_code, answer.headers["x-aaf-decision"]) == (403, "deny")
    assert (answer.json()["detail"], answer.json()["rules"]) == ("Nobody goes there", ["closed"])
    assert site.destination.log.requests == []
    assert site.effects() == ["deny"]


def test_a_held_request_goes_out_once_approved(site: Site) -> None:
    asked = site.start("POST", "held", "/pay", content=b"amount=5")
    until(lambda: site.parts.waiters(site.agent) == 1)
    assert site.destination.log.requests == []
    site.approve()
    answer = asked.result(SECONDS)
    assert (answer.status_code, answer.text) == (200, "reached /pay")
    assert [(seen.method, seen.path, seen.body) for seen in site.destination.log.requests] == [("POST", "/pay", b"amount=5")]
    assert site.effects() == ["allow"]


def test_a_held_request_that_is_denied_is_told_the_approvers_reason(site: Site) -> None:
    asked = site.start("POST", "held", "/pay", content=b"amount=5")
    (approval,) = site.parts.pending(site.agent)
    site.parts.api.deny(approval["id"], "not on a Friday")
    answer = asked.result(SECONDS)
    assert answer.status_code == 403
    assert "not on a Friday" in answer.json()["detail"]
    assert site.destination.log.requests == []


def test_who_does_not_wait_comes_back_for_what_was_approved(site: Site) -> None:
    first = site.ask("PUT", "held", "/once", content=b"x", headers={"Prefer": "wait=0"})
    assert (first.status_code, first.headers["x-aaf-decision"]) == (503, "pending")
    assert int(first.headers["retry-after"]) > 0
    site.approve()
    assert site.ask("PUT", "held", "/once", content=b"x").status_code == 200
    assert site.ask("PUT", "held", "/once", content=b"x", headers={"Prefer": "wait=0"}).status_code == 503
    assert [seen.path for seen in site.destination.log.requests] == ["/once"]


async def test_requests_of_one_connection_are_held_side_by_side(site: Site) -> None:
    async with site.at_once() as client:
        first = await client.post(site.url("held", "/first"), headers={"Prefer": "wait=0"})
        asked = [asyncio.create_task(client.post(site.url("held", f"/pay/{number}"), content=b"x")) for number in range(5)]
        await asyncio.to_thread(until, lambda: site.parts.waiters(site.agent) == 5)
        approvals = await asyncio.to_thread(site.parts.pending, site.agent, 6)
        for approval in approvals:
            await asyncio.to_thread(site.parts.api.approve, approval["id"])
        answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == [f"reached /pay/{number}" for number in range(5)]
    numbers = [answer.extensions["stream_id"] for answer in (first, *answers)]
    assert numbers == list(range(1, 12, 2))  # all of them on one connection


async def test_a_client_that_leaves_ends_its_hold(site: Site) -> None:
    async with site.at_once() as client:
        asked = asyncio.create_task(client.post(site.url("held", "/left"), content=b"x"))
        await asyncio.to_thread(until, lambda: site.parts.waiters(site.agent) == 1)
        asked.cancel()
    await asyncio.to_thread(until, lambda: site.parts.waiters(site.agent) == 0)
    await asyncio.to_thread(until, lambda: [entry.get("code") for entry in site.parts.decided(site.agent)] == ["client-left"])
    assert site.destination.log.requests == []


def test_an_answer_streams_as_it_comes(site: Site) -> None:
    with site.client.stream("GET", site.url("open", "/events")) as answer:
        lines = answer.iter_lines()
        for number in range(3):
            site.destination.step(f"event {number}")
            assert (next(lines), next(lines)) == (f"data: event {number}", "")
        site.destination.step(None)
        assert list(lines) == []


def test_an_upload_streams_as_it_goes(site: Site) -> None:
    """The destination has the head before the client has the end."""
    before = site.destination.log.heads

    def pieces() -> Iterator[bytes]:
        yield b"first "
        until(lambda: site.destination.log.heads > before)
        yield b"second"

    assert site.ask("POST", "open", "/upload", content=pieces()).text == "reached /upload"
    assert site.destination.log.requests[-1].body == b"first second"


def test_a_megabyte_each_way_arrives_whole(site: Site) -> None:
    body = bytes(range(256)) * 4096
    assert site.ask("POST", "open", "/upload", content=body).status_code == 200
    assert site.destination.log.requests[-1].body == body


async def test_many_at_once_get_each_their_own_answer(site: Site) -> None:
    async with site.at_once() as client:
        answers = await asyncio.gather(*(client.get(site.url("open", f"/{number}")) for number in range(50)))
    assert [answer.text for answer in answers] == [f"reached /{number}" for number in range(50)]
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
