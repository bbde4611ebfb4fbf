"""Destinations that fail in every way they can: what the agent is told, and what the chain says."""

import asyncio
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from tests.e2e.conftest import PartsFactory
from tests.e2e.parts import Agent, Parts, free_port, until
from tests.e2e.pki import Pair, TestAuthority
from tests.e2e.upstream import Behaviour, LoopThread, Misbehaving, Upstream
from tests.e2e.wire import Answer, Wire, credential, head, opened, request, tunnel

CONNECT_SECONDS, RESPONSE_SECONDS, HEAD_SECONDS, IDLE_SECONDS = 1, 2, 2, 3
POLICY = """
version: 1
default: deny
rules:
  - id: all
    effect: allow
    hosts: ["*.test"]
"""


async def hang(reader: Any, _writer: asyncio.StreamWriter) -> None:
    await reader.head()
    await asyncio.Event().wait()


async def hang_in_the_head(reader: Any, writer: asyncio.StreamWriter) -> None:
    await reader.head()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await asyncio.Event().wait()


async def say_nothing(_reader: Any, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def close_at_once(reader: Any, _writer: asyncio.StreamWriter) -> None:
    await reader.head()


async def reset(reader: Any, writer: asyncio.StreamWriter) -> None:
    await reader.head()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


def say(data: bytes) -> Behaviour:
    async def behaviour(reader: Any, writer: asyncio.StreamWriter) -> None:
        await reader.head()
        writer.write(data)
        await writer.drain()

    return behaviour


def say_and_wait(data: bytes) -> Behaviour:
    async def behaviour(reader: Any, writer: asyncio.StreamWriter) -> None:
        await reader.head()
        writer.write(data)
        await asyncio.Event().wait()

    return behaviour


SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwholHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
BEHAVIOURS: dict[str, Behaviour] = {
    "hangs.test": hang,
    "hangs-in-head.test": hang_in_the_head,
    "closes.test": close_at_once,
    "resets.test": reset,
    "short.test": say(SHORT),
    "short-and-silent.test": say_and_wait(SHORT),
    "short-chunks.test": say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    "bad-chunks.test": say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n"),
    "long.test": say_and_wait(LONG),
    "switches.test": say_and_wait(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nraw bytes"),
    "no-http.test": say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "bad-status.test": say(b"HTTP/1.1 twohundred OK\r\n\r\n"),
    "two-lengths.test": say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nwhole"),
    "both-framings.test": say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
}
CERTIFICATES = ("wrong-name.test", "expired.test", "unknown-ca.test")


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose connections are neither taken nor refused: its queue is full."""
    with closing(socket.socket()) as server, ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            one = stack.enter_context(closing(socket.socket()))
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])


@pytest.fixture(scope="module")
def destinations(
    loop_thread: LoopThread, authority: TestAuthority, upstream: Upstream, tmp_path_factory: Any
) -> Iterator[dict[str, int]]:
    """The port of each destination, all of them with TLS on 443."""
    with ExitStack() as stack:

        def serve(behaviour: Behaviour, pair: Pair | None) -> int:
            server = Misbehaving(loop_thread, behaviour, pair)
            server.start()
            stack.callback(server.stop)
            return server.port

        ports = {host: serve(behaviour, authority.issue(host)) for host, behaviour in BEHAVIOURS.items()}
        unknown = TestAuthority(tmp_path_factory.mktemp("unknown"))
        answer = say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        ports["wrong-name.test"] = serve(answer, authority.issue("right-name.test"))
        ports["expired.test"] = serve(answer, authority.issue("expired.test", expired=True))
        ports["unknown-ca.test"] = serve(answer, unknown.issue("unknown-ca.test"))
        ports["refuses.test"] = free_port()
        ports["stalls-tls.test"] = serve(say_nothing, None)
        ports["black-hole.test"] = stack.enter_context(black_hole())
        ports["open.test"] = upstream.https_port
        yield ports


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory, destinations: dict[str, int], upstream: Upstream) -> Parts:
    routing = [f"{host}:443:127.0.0.1:{port}" for host, port in destinations.items()]
    return make_parts(
        policy_text=POLICY,
        AAF_CONNECT_TO=",".join([*routing, f":80:127.0.0.1:{upstream.http_port}"]),
        AAF_CONNECT_SECONDS=str(CONNECT_SECONDS),
        AAF_RESPONSE_SECONDS=str(RESPONSE_SECONDS),
        AAF_HEAD_SECONDS=str(HEAD_SECONDS),
        AAF_IDLE_SECONDS=str(IDLE_SECONDS),
    )


@pytest.fixture(scope="module")
def agent(parts: Parts) -> Agent:
    return parts.agent("one")


def ask(parts: Parts, agent: Agent, host: str) -> Answer:
    with tunnel(agent, host, parts.ca_file) as wire:
        return wire.send(request("GET", "/", host)).answer()


def failed(parts: Parts, agent: Agent, host: str) -> str:
    """Waits for the outcome of the one action of this agent on `host`; it was allowed, then it failed. Returns the code."""
    decided = until(lambda: parts.decided(agent, host=host))
    assert [entry["effect"] for entry in decided] == ["allow"]
    outcome = parts.outcome(decided[0]["action"])
    assert outcome["event"] == "action.failed"
    return str(outcome["code"])


@pytest.mark.parametrize(
    "host",
    [
        "refuses.test", "closes.test", "resets.test", "no-http.test", "bad-status.test", "two-lengths.test", "both-framings.test",
        *CERTIFICATES,
    ],
)  # fmt: skip
def test_a_destination_that_cannot_be_talked_to_is_a_502_on_record(parts: Parts, host: str) -> None:
    agent = parts.agent(f"meets-{host.removesuffix('.test')}")
    answer = ask(parts, agent, host)
    assert (answer.status, answer.problem["type"]) == (502, "urn:aaf:problem:upstream-unreachable")
    assert answer.headers["x-aaf-decision"] == "error"
    assert failed(parts, agent, host) == "upstream-unreachable"


@pytest.mark.parametrize("host", CERTIFICATES)
def test_a_bad_certificate_is_named_and_nothing_is_sent_to_it(parts: Parts, host: str) -> None:
    answer = ask(parts, parts.agent(f"mistrusts-{host.removesuffix('.test')}"), host)
    assert "certificate" in answer.problem["detail"].lower()


@pytest.mark.parametrize("host", ["black-hole.test", "stalls-tls.test", "hangs.test", "hangs-in-head.test"])
def test_a_destination_that_is_silent_is_a_504_on_record(parts: Parts, host: str) -> None:
    agent = parts.agent(f"meets-{host.removesuffix('.test')}")
    answer = ask(parts, agent, host)
    assert (answer.status, answer.problem["type"]) == (504, "urn:aaf:problem:upstream-timeout")
    assert failed(parts, agent, host) == "upstream-timeout"


@pytest.mark.parametrize("host", ["short.test", "short-and-silent.test", "short-chunks.test", "bad-chunks.test"])
def test_an_answer_that_is_shorter_than_it_says_is_a_broken_transfer_on_record(parts: Parts, host: str) -> None:
    agent = parts.agent(f"meets-{host.removesuffix('.test')}")
    with tunnel(agent, host, parts.ca_file) as wire:
        wire.send(request("GET", "/", host))
        with pytest.raises((http.client.HTTPException, OSError, ValueError)):
            wire.answer()
    assert failed(parts, agent, host) in {"upstream-unreachable", "upstream-timeout"}


def test_bytes_after_an_answer_never_become_a_second_answer(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "long.test", parts.ca_file) as wire:
        assert wire.send(request("GET", "/", "long.test")).answer().body == b"whol"
        second = wire.send(request("GET", "/second", "long.test")).answer()
    assert b"forged" not in second.body
    assert len(parts.decided(agent, host="long.test")) == 2


def test_a_101_that_nobody_asked_for_is_a_502_on_record(parts: Parts, agent: Agent) -> None:
    answer = ask(parts, agent, "switches.test")
    assert (answer.status, answer.problem["type"]) == (502, "urn:aaf:problem:upgrade")
    assert b"raw bytes" not in answer.body
    assert failed(parts, agent, "switches.test") == "upgrade"


def test_a_gateway_that_met_all_of_them_still_serves(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    assert ask(parts, agent, "open.test").status == 200
    assert parts.gateway.ready()


# --- clients that are slow ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"", b"CONNECT open.test:443 HTTP/1.1\r\nHost: open"], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_ends_the_connection(parts: Parts, begun: bytes) -> None:
    with Wire(parts.gateway.port) as wire:
        assert wire.send(begun).ended() == b""


def test_a_tls_handshake_that_does_not_come_ends_the_connection(parts: Parts, agent: Agent) -> None:
    with opened(agent, "open.test:443") as wire:
        assert wire.ended() == b""


def test_a_connection_on_which_nothing_happens_ends(parts: Parts, agent: Agent) -> None:
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        assert wire.send(request("GET", "/", "open.test")).answer().status == 200
        assert wire.ended() == b""


def test_an_upload_that_stalls_is_ended_and_on_record(parts: Parts, upstream: Upstream) -> None:
    agent = parts.agent("stalls")
    before = upstream.log.heads
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        wire.send(head("POST", "/", "open.test", Content_Length="100") + b"half")
        wire.ended()
    assert failed(parts, agent, "open.test") == "abandoned"
    assert upstream.log.heads == before + 1  # it began, for it was allowed
    assert not [seen for seen in upstream.log.requests if seen.body == b"half"]


def test_a_plain_request_that_stalls_before_its_end_reaches_nobody(parts: Parts, agent: Agent, upstream: Upstream) -> None:
    before = upstream.log.heads
    with Wire(parts.gateway.port) as wire:
        wire.send(f"GET http://open.test/ HTTP/1.1\r\nHost: open.test\r\nProxy-Authorization: {credential(agent)}\r\n".encode())
        assert wire.ended() == b""
    assert upstream.log.heads == before
