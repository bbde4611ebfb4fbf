"""When what the firewall depends on fails, nothing leaves, the agent hears so, and service resumes without a restart."""

import asyncio
import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.e2e.conftest import PartsFactory
from tests.e2e.faults import MadeUpOpa, SmallDisk, decision, frozen, own_postgres, result
from tests.e2e.parts import ROOT, Agent, Gateway, Parts, free_port, until
from tests.e2e.upstream import LoopThread, Upstream
from tests.e2e.wire import Answer, Wire, connect_head, request, tunnel
from tests.opa_server import http

UNAVAILABLE = {"urn:aaf:problem:engine-unavailable", "urn:aaf:problem:ledger-unavailable"}


def get(parts: Parts, agent: Agent, path: str, *, host: str = "open.test", gateway: Gateway | None = None) -> Answer:
    port = None if gateway is None else gateway.port
    with tunnel(agent, host, parts.ca_file, gateway=port) as wire:
        return wire.send(request("GET", path, host)).answer()


def refused(answer: Answer, problem: str) -> None:
    assert (answer.status, answer.problem["type"]) == (503, f"urn:aaf:problem:{problem}")
    assert answer.headers["x-aaf-decision"] == "error"
    assert int(answer.headers["retry-after"]) > 0


def resumes(parts: Parts, agent: Agent, upstream: Upstream, workers: list[int], gateway: Gateway | None = None) -> None:
    """Requests pass again, and no process was started for it."""
    until(lambda: get(parts, agent, "/again", gateway=gateway).status == 200, 60)
    assert (gateway or parts.gateway).workers() == workers


# --- the policy engine ----------------------------------------------------------------------------------------------------


def test_opa_stopped(parts: Parts, upstream: Upstream) -> None:
    agent = parts.agent("opa-stopped")
    workers, before = parts.gateway.workers(), upstream.log.heads
    assert get(parts, agent, "/before").status == 200
    parts.opa.stop()
    for number in range(3):
        refused(get(parts, agent, f"/{number}"), "engine-unavailable")
    assert upstream.log.heads == before + 1
    assert [entry["code"] for entry in parts.decided(agent, effect="error")] == ["engine-unavailable"] * 3
    parts.opa.start()
    resumes(parts, agent, upstream, workers)


def test_opa_frozen(parts: Parts, upstream: Upstream) -> None:
    agent = parts.agent("opa-frozen")
    workers, before = parts.gateway.workers(), upstream.log.heads
    assert parts.opa.pid is not None
    with frozen(parts.opa.pid):
        refused(get(parts, agent, "/frozen"), "engine-unavailable")
    resumes(parts, agent, upstream, workers)
    assert "/frozen" not in upstream.log.paths()
    assert upstream.log.heads > before


def test_opa_stopped_while_a_request_is_held(parts: Parts, upstream: Upstream) -> None:
    agent = parts.agent("opa-stopped-held")
    workers = parts.gateway.workers()
    with tunnel(agent, "held.test", parts.ca_file) as wire:
        wire.send(request("POST", "/held-opa", "held.test", b"x"))
        (approval,) = parts.pending(agent)
        parts.opa.stop()
        parts.api.approve(approval["id"])
        refused(wire.answer("POST"), "engine-unavailable")
    assert "/held-opa" not in upstream.log.paths()
    parts.opa.start()
    resumes(parts, agent, upstream, workers)
    with tunnel(agent, "held.test", parts.ca_file) as wire:  # the approval was not lost: it is a grant now
        assert wire.send(request("POST", "/held-opa", "held.test", b"x")).answer("POST").status == 200
    assert upstream.log.paths().count("/held-opa") == 1


@pytest.fixture(scope="module")
def opa(loop_thread: LoopThread) -> Iterator[MadeUpOpa]:
    made = MadeUpOpa(loop_thread)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def misled(parts: Parts, opa: MadeUpOpa) -> Gateway:
    """A gateway of the same system that asks the made-up engine."""
    gateway = parts.another_gateway(OPA_URL=opa.url)
    gateway.start()
    return gateway


NONSENSE: dict[str, Callable[[str], bytes | None]] = {
    "no answer": lambda _: None,
    "not HTTP": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "an error": lambda _: http(b'{"code": "internal_error"}', 500),
    "not allowed to ask": lambda _: http(b'{"code": "unauthorized"}', 401),
    "not JSON": lambda _: http(b"allow"),
    "nothing": lambda _: http(b""),
    "no policy": lambda _: http(b"{}"),
    "a list": lambda _: http(b"[]"),
    "true": lambda _: result(True),
    "an empty decision": lambda _: result({}),
    "an unknown effect": lambda revision: result(decision(revision, effect="permit")),
    "an effect that is not text": lambda revision: result(decision(revision, effect=True)),
    "two effects": lambda revision: result(decision(revision, effect=["allow"])),
    "no effect": lambda revision: result(decision(revision, effect=None)),
    "no reason": lambda revision: result(decision(revision, reason=None)),
    "an unknown key": lambda revision: result(decision(revision, override=True)),
    "no obligations": lambda revision: result(decision(revision, obligations=None)),
    "too much": lambda revision: result(decision(revision, reason="x" * (32 << 20))),
}
DENIALS: dict[str, Callable[[str], bytes]] = {
    "no revision": lambda revision: result(decision(revision, revision=None)),
    "an empty revision": lambda _: result(decision("")),
    "a revision nobody stored": lambda _: result(decision("sha256:" + "0" * 64)),
    "unknown obligations": lambda revision: result(decision(revision, obligations={"redact": ["body"]})),
}


def active(parts: Parts) -> str:
    return str(parts.sql("select revision from aaf.active_policy")[0]["revision"])


@pytest.mark.parametrize("kind", NONSENSE)
def test_opa_answering_nonsense(parts: Parts, misled: Gateway, opa: MadeUpOpa, upstream: Upstream, kind: str) -> None:
    agent, revision = parts.agent(f"nonsense-{kind.replace(' ', '-').lower()}"), active(parts)
    workers, before = misled.workers(), upstream.log.heads
    opa.answer = lambda _question: NONSENSE[kind](revision)
    refused(get(parts, agent, "/nonsense", gateway=misled), "engine-unavailable")
    assert upstream.log.heads == before
    opa.answer = lambda _question: result(decision(revision))
    resumes(parts, agent, upstream, workers, misled)


@pytest.mark.parametrize("kind", DENIALS)
def test_opa_answering_what_counts_for_nothing(
    parts: Parts, misled: Gateway, opa: MadeUpOpa, upstream: Upstream, kind: str
) -> None:
    agent, revision = parts.agent(f"counts-{kind.replace(' ', '-').lower()}"), active(parts)
    before = upstream.log.heads
    opa.answer = lambda _question: DENIALS[kind](revision)
    answer = get(parts, agent, "/counts-for-nothing", gateway=misled)
    assert (answer.status, answer.problem["type"]) == (403, "urn:aaf:problem:policy")
    assert upstream.log.heads == before
    assert [entry["effect"] for entry in parts.decided(agent)] == ["deny"]


def test_opa_answering_late(parts: Parts, misled: Gateway, opa: MadeUpOpa, upstream: Upstream) -> None:
    """An allow that comes after its time allows nothing, not even the next request."""
    agent, revision = parts.agent("late"), active(parts)
    late = threading.Event()

    def wait(_question: dict[str, Any]) -> bytes:
        assert late.wait(60)
        return result(decision(revision))

    before = upstream.log.heads
    opa.answer = wait
    try:
        refused(get(parts, agent, "/late", gateway=misled), "engine-unavailable")
    finally:
        late.set()
    opa.answer = lambda _question: result(decision(revision, effect="deny"))
    until(lambda: get(parts, agent, "/after", gateway=misled).status == 403)
    assert upstream.log.heads == before


# --- the database ---------------------------------------------------------------------------------------------------------


class Owned:
    """A whole system on a database server of its own."""

    def __init__(self, make: Callable[[Database], Parts], folder: Path | None = None) -> None:
        self._context = own_postgres(folder)
        self.server = self._context.__enter__()
        try:
            self.parts = make(asyncio.run(self.server.create()))
            self.agent = self.parts.agent("one")
        except BaseException:
            self._context.__exit__(None, None, None)
            raise

    @property
    def pid(self) -> int:
        pid = self.server.embedded.pid
        assert pid is not None
        return pid

    def close(self) -> None:
        self.parts.close()
        self._context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def owned(make_parts: PartsFactory) -> Iterator[Owned]:
    made = Owned(lambda database: make_parts(database=database))
    yield made
    made.close()


def test_postgres_frozen(owned: Owned, upstream: Upstream) -> None:
    parts, agent = owned.parts, owned.agent
    assert get(parts, agent, "/before").status == 200
    workers, before = parts.gateway.workers(), upstream.log.heads
    with frozen(owned.pid):
        refused(get(parts, agent, "/frozen"), "ledger-unavailable")
    assert upstream.log.heads == before
    resumes(parts, agent, upstream, workers)
    assert "/frozen" not in upstream.log.paths()


def test_postgres_frozen_between_the_question_and_the_record(owned: Owned, upstream: Upstream) -> None:
    """Stopped mid-request: the request was judged, and stands before its record when the database goes."""
    parts, agent = owned.parts, owned.agent
    workers, before = parts.gateway.workers(), upstream.log.heads
    with tunnel(agent, "open.test", parts.ca_file) as wire:
        assert parts.opa.pid is not None
        with frozen(owned.pid):
            with frozen(parts.opa.pid):
                wire.send(request("GET", "/mid-request", "open.test"))
            refused(wire.answer(), "ledger-unavailable")
    assert upstream.log.heads == before
    resumes(parts, agent, upstream, workers)


def test_postgres_stopped_and_started(owned: Owned, upstream: Upstream) -> None:
    parts, agent = owned.parts, owned.agent
    workers, before = parts.gateway.workers(), upstream.log.heads
    embedded = owned.server.embedded
    stop_only(embedded)
    try:
        for number in range(2):
            refused(get(parts, agent, f"/stopped-{number}"), "ledger-unavailable")
        unknown = Agent(id=agent.id, name="somebody", token="u" * 43, port=agent.port)
        with Wire(agent.port) as wire:
            refused(wire.send(connect_head(unknown, "open.test:443")).answer("CONNECT"), "ledger-unavailable")
        assert upstream.log.heads == before
    finally:
        embedded.restart()
    resumes(parts, agent, upstream, workers)


def test_postgres_stopped_while_a_request_is_held(owned: Owned, upstream: Upstream) -> None:
    parts, agent = owned.parts, owned.agent
    workers, embedded = parts.gateway.workers(), owned.server.embedded
    with tunnel(agent, "held.test", parts.ca_file) as wire:
        wire.send(request("POST", "/held-postgres", "held.test", b"x"))
        (approval,) = parts.pending(agent)
        stop_only(embedded)
        try:
            assert wire.silent()
            assert "/held-postgres" not in upstream.log.paths()
        finally:
            embedded.restart()
        until(lambda: approved(parts, approval["id"]))
        assert wire.answer("POST").status == 200
    assert upstream.log.paths().count("/held-postgres") == 1
    resumes(parts, agent, upstream, workers)


def test_postgres_frozen_until_the_wait_is_over(owned: Owned, upstream: Upstream) -> None:
    parts, agent = owned.parts, owned.agent
    with tunnel(agent, "held.test", parts.ca_file) as wire:
        wire.send(request("POST", "/held-frozen", "held.test", b"x", Prefer="wait=1"))
        parts.pending(agent)
        with frozen(owned.pid):
            refused(wire.answer("POST"), "ledger-unavailable")
    assert "/held-frozen" not in upstream.log.paths()
    until(lambda: get(parts, agent, "/again").status == 200)


def test_the_chain_holds_after_all_that(owned: Owned) -> None:
    decided = [entry["action"] for entry in owned.parts.decided()]
    assert len(decided) == len(set(decided))
    assert owned.parts.verify() is None


def stop_only(embedded: Any) -> None:
    """Stops the server, and lets its launcher keep its data directory for the restart."""
    import signal

    os.kill(embedded.pid, signal.SIGINT)
    until(lambda: embedded.died() is not None, 40)


def approved(parts: Parts, approval_id: str) -> bool:
    try:
        parts.api.approve(approval_id)
    except OSError:  # the API is on its way back to the same database
        return False
    return True


def test_a_full_disk(make_parts: PartsFactory, upstream: Upstream) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    with SmallDisk(300 << 20) as disk:
        owned = Owned(lambda database: make_parts(database=database), disk.folder)
        try:
            parts, agent = owned.parts, owned.agent
            assert get(parts, agent, "/before").status == 200
            workers = parts.gateway.workers()
            disk.fill()
            answers = [(f"/full-{number}", get(parts, agent, f"/full-{number}")) for number in range(60)]
            passed = [path for path, answer in answers if answer.status == 200]
            assert len(passed) < 60
            for _, answer in answers:
                assert answer.status in {200, 503}
                if answer.status == 503:
                    refused(answer, "ledger-unavailable")
            assert [path for path in upstream.log.paths() if path.startswith("/full-")] == passed
            disk.free()
            if owned.server.embedded.died() is not None:
                owned.server.embedded.restart()
            resumes(parts, agent, upstream, workers)
            assert len(parts.decided(agent, effect="allow")) >= len(passed) + 2
            assert parts.verify() is None
        finally:
            owned.close()


# --- starting ---------------------------------------------------------------------------------------------------------------


def start(parts: Parts, **changes: str | None) -> tuple[int, str]:
    """`aaf gateway` with other settings; its exit status and what it said."""
    environment = parts.gateway.environment | {"AAF_PROXY_PORT": str(free_port()), "AAF_GATEWAY_ADMIN_PORT": str(free_port())}
    environment |= {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-c", "from cli.app import main; main()", "gateway"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


OTHER_KEY = base64.b64encode(b"another key of 32 bytes, at last").decode()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ENCRYPTION_MASTER_KEY", None, "ENCRYPTION_MASTER_KEY"),
        ("ENCRYPTION_MASTER_KEY", "c2hvcnQ=", "ENCRYPTION_MASTER_KEY: must be 32 bytes in base64"),
        ("ENCRYPTION_MASTER_KEY", "not base64!", "ENCRYPTION_MASTER_KEY: must be 32 bytes in base64"),
        ("ENCRYPTION_MASTER_KEY", OTHER_KEY, "ENCRYPTION_MASTER_KEY: ca-key: sealed with a master key that is not here"),
        ("DATABASE_URL", None, "DATABASE_URL"),
        ("OPA_URL", None, "OPA_URL"),
        ("OPA_URL", "http://opa.example.com:8181", "OPA_URL: must be https, http on loopback, or unix:///path"),
        ("AAF_HOLD_SECONDS", "soon", "AAF_HOLD_SECONDS"),
        ("AAF_HOLD_SECOND", "5", "AAF_HOLD_SECOND: no such setting"),
        ("AAF_PROXY_HOST", "0.0.0.0", "listens beyond loopback without TLS"),
    ],
)
def test_a_gateway_with_a_wrong_setting_does_not_start_and_names_it(parts: Parts, name: str, value: str | None, words: str) -> None:
    status, said = start(parts, **{name: value})
    assert status in {1, 2}
    assert words in said
    assert "Traceback" not in said
    assert value is None or name != "ENCRYPTION_MASTER_KEY" or value not in said


@pytest.mark.parametrize("name", ["AAF_PROXY_PORT", "AAF_GATEWAY_ADMIN_PORT"])
def test_a_gateway_whose_port_is_in_use_does_not_start_and_names_it(parts: Parts, name: str) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        status, said = start(parts, **{name: port})
    assert (status, port in said, name in said, "Traceback" in said) == (1, True, True, False)


@pytest.mark.parametrize("role", ["admin_dsn", "super_dsn"])
def test_a_gateway_does_not_start_on_a_role_that_may_write_the_chain(parts: Parts, role: str) -> None:
    status, said = start(parts, DATABASE_URL=getattr(parts.database, role))
    assert (status, "audit_log" in said, "DATABASE_URL" in said, "Traceback" in said) == (1, True, True, False)
