"""The engine's contract, with the real OPA: a verdict for every question, and EngineUnavailable when there is none."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firewall.action import Action, Kind, Risk
from firewall.backends.opa import OpaEngine
from firewall.errors import EngineUnavailable
from firewall.ids import ActionId, AgentId
from firewall.policy import demo_document
from firewall.question import question
from firewall.verdict import Allow, Deny, Hold, Terms
from tests.opa_server import bundle_of, serving

pytestmark = pytest.mark.asyncio


def asked(method: str, host: str, kind: Kind = Kind.READ, path: str = "/") -> dict[str, Any]:
    action = Action(
        id=ActionId("act_1"), agent="bot", agent_id=AgentId("agt_1"), service="http", operation=method, kind=kind,
        risk=Risk.MEDIUM, method=method, scheme="https", host=host, port=443, path=path, segments=tuple(path.split("/")[1:]),
    )  # fmt: skip
    return question(action, now=datetime(2026, 1, 1, tzinfo=UTC), source_ip="127.0.0.1", counts={})


@pytest.fixture(scope="module")
def demo_url(opa_binary: Path) -> Iterator[str]:
    with serving(opa_binary, bundle_of(demo_document())) as url:
        yield url


@pytest.fixture
def short_folder() -> Iterator[str]:
    """Names of Unix sockets are bounded."""
    with tempfile.TemporaryDirectory(prefix="opa", dir="/tmp") as folder:
        yield folder


@pytest.mark.parametrize("host", ["example.com", "httpbin.org", "api.github.com"])
async def test_the_demo_policy_allows_reads_and_holds_every_other_method(demo_url: str, host: str) -> None:
    engine = OpaEngine(demo_url)
    assert isinstance(await engine.decide(asked("GET", host)), Allow)
    assert isinstance(await engine.decide(asked("HEAD", host)), Allow)
    for method, kind in (("POST", Kind.WRITE), ("DELETE", Kind.DELETE), ("OPTIONS", Kind.READ), ("FOO", Kind.UNKNOWN)):
        verdict = await engine.decide(asked(method, host, kind))
        assert isinstance(verdict, Hold)
        assert verdict.terms == Terms()
        assert verdict.revision.startswith("sha256:")
    await engine.close()


async def test_the_demo_policy_denies_every_other_host(demo_url: str) -> None:
    engine = OpaEngine(demo_url)
    verdict = await engine.decide(asked("GET", "example.org"))
    assert isinstance(verdict, Deny)
    assert (verdict.reason, verdict.rules) == ("no rule allows this", ())
    await engine.close()


PASSED = """
version: 1
rules:
  - {id: paths, effect: allow, hosts: [paths.test], paths: ["/**"]}
  - {id: root, effect: allow, hosts: [paths.test], paths: ["/"]}
  - {id: methods, effect: allow, hosts: [methods.test], methods: [GET]}
  - {id: host, effect: allow, hosts: [host.test]}
  - {id: connect, effect: allow, hosts: [connect.test], methods: [CONNECT], kinds: [unknown]}
  - {id: asks, effect: require_approval, hosts: [asks.test]}
""" + "".join(f"  - {{id: crowd-{n}, effect: allow, hosts: [crowd.test], paths: [/p{n}]}}\n" for n in range(20))


@pytest.fixture
def passed_url(opa_binary: Path) -> Iterator[str]:
    with serving(opa_binary, bundle_of(PASSED)) as url:
        yield url


async def test_what_is_passed_through_is_allowed_by_no_rule_that_names_what_nobody_reads(passed_url: str) -> None:
    engine = OpaEngine(passed_url)
    verdicts = {}
    for name in ("paths", "methods", "crowd", "host", "connect", "asks"):
        question = asked("CONNECT", f"{name}.test", Kind.UNKNOWN)
        question["action"] |= {"opaque": True, "canonical_path": "", "path": ""}
        verdicts[name] = type(await engine.decide(question))
    await engine.close()
    assert verdicts == {"paths": Deny, "methods": Deny, "crowd": Deny, "host": Allow, "connect": Allow, "asks": Hold}


NAMES = """
version: 1
rules:
  - {id: issues, effect: allow, services: [github], operations: ["issues/*"], kinds: [read, write], resources: {owner: [acme]}}
  - {id: puts, effect: allow, operations: ["s3:Put*", "s3:Get*"], risks: [low, medium], resources: {Bucket: [logs-*]}}
  - {id: charges, effect: require_approval, operations: ["GET /v1/charges/*"]}
  - {id: pushes, effect: allow, services: [git], operations: [push], resources: {refs: ["refs/heads/team/*"]}}
  - {id: main, effect: deny, resources: {refs: ["refs/heads/main"]}}
  - {id: reads, effect: allow, hosts: [method.test], methods: [GET]}
  - {id: deletes, effect: require_approval, hosts: [method.test], methods: [DELETE]}
"""
TEAM, MAIN = "refs/heads/team/a", "refs/heads/main"


@pytest.fixture(scope="module")
def names_url(opa_binary: Path) -> Iterator[str]:
    with serving(opa_binary, bundle_of(NAMES)) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "kind", "risk", "resource", "expected"),
    [
        ("github:issues/create", "write", "medium", {"owner": "acme", "repo": "r"}, Allow),
        ("github:issues/create", "write", "medium", {"owner": "other"}, Deny),
        ("github:issues/create", "write", "medium", {}, Deny),
        ("github:issues/delete", "delete", "high", {"owner": "acme"}, Deny),
        ("gitlab:issues/create", "write", "medium", {"owner": "acme"}, Deny),
        ("aws:s3:PutObject", "write", "medium", {"Bucket": "logs-1", "Key": "a/b"}, Allow),
        ("aws:s3:GetObjectAcl", "read", "low", {"Bucket": "logs-1"}, Allow),
        ("aws:s3:PutObject", "write", "high", {"Bucket": "logs-1"}, Deny),
        ("aws:s3:PutObject", "write", "low", {"Bucket": "logs-1,secrets"}, Deny),
        ("shop:GET /v1/charges/{id}", "read", "low", {"id": "1"}, Hold),
        ("git:push", "write", "medium", {"refs": TEAM}, Allow),
        ("git:push", "write", "medium", {"refs": f"{TEAM},refs/heads/team/b"}, Allow),
        ("git:push", "write", "medium", {"refs": f"{TEAM},refs/tags/v1"}, Deny),
        ("git:push", "write", "medium", {"refs": f"{TEAM},{MAIN}"}, Deny),
    ],
)
async def test_rules_speak_of_what_vendors_call_their_operations_and_of_what_they_are_done_to(
    names_url: str, name: str, kind: str, risk: str, resource: dict[str, str], expected: type
) -> None:
    service, _, operation = name.partition(":")
    question = asked("POST", "a.test")
    question["action"] |= {
        "service": service,
        "operation": operation,
        "name": name,
        "kind": kind,
        "risk": risk,
        "resource": resource,
    }
    engine = OpaEngine(names_url)
    verdict = await engine.decide(question)
    await engine.close()
    assert isinstance(verdict, expected), verdict
    if resource.get("refs", "").endswith(MAIN):
        assert verdict.rules == ("main",)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["GET"], Allow),
        (["GET", "DELETE"], Hold),
        (["GET", "PUT"], Deny),
        (["GET", "?"], Deny),
        (["GET", "get"], Allow),
        (["POST", "GET"], Deny),
        (["POST", "delete"], Hold),
    ],
)
async def test_what_asks_to_be_taken_for_another_method_is_judged_as_both(
    names_url: str, methods: list[str], expected: type
) -> None:
    question = asked(methods[0], "method.test")
    question["action"]["methods"] = methods
    engine = OpaEngine(names_url)
    verdict = await engine.decide(question)
    await engine.close()
    assert isinstance(verdict, expected), verdict


async def test_questions_asked_together_get_their_own_answers(demo_url: str) -> None:
    engine = OpaEngine(demo_url)
    questions = [asked("GET", "example.com" if i % 3 else "example.org") for i in range(500)]
    verdicts = await asyncio.gather(*[engine.decide(one) for one in questions])
    assert [isinstance(verdict, Allow) for verdict in verdicts] == [bool(i % 3) for i in range(500)]
    await engine.close()


async def test_a_question_that_is_not_whole_denies_itself_alone(demo_url: str) -> None:
    engine = OpaEngine(demo_url)
    odd, whole = await asyncio.gather(engine.decide({"action": {}}), engine.decide(asked("GET", "example.com")))
    assert isinstance(odd, Deny)
    assert isinstance(whole, Allow)
    await engine.close()


async def test_an_engine_that_is_not_there_is_unavailable() -> None:
    engine = OpaEngine("unix:///nonexistent/opa.sock")
    with pytest.raises(EngineUnavailable):
        await engine.decide(asked("GET", "example.com"))
    assert not await engine.ready()
    await engine.close()


async def test_an_engine_without_a_policy_is_neither_ready_nor_answers(opa_binary: Path, short_folder: str) -> None:
    socket = f"{short_folder}/s"
    process = await asyncio.create_subprocess_exec(
        str(opa_binary), "run", "--server", "--addr", f"unix://{socket}", "--log-level=error", stderr=asyncio.subprocess.DEVNULL
    )
    engine = OpaEngine(f"unix://{socket}")
    try:
        while True:
            with pytest.raises(EngineUnavailable) as refused:
                await engine.decide(asked("GET", "example.com"))
            if "reached" not in refused.value.detail:
                break
            await asyncio.sleep(0.05)
        assert "is a policy loaded?" in refused.value.detail
        assert not await engine.ready()
    finally:
        process.kill()
        await process.wait()
        await engine.close()


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v1/policies",
        "GET /v1/data/firewall/policy",
        "POST /v1/data",
        "POST /v1/data/firewall/decision?explain=full",
        "PUT /v1/data/firewall/policy",
        "PUT /v1/policies/mine",
        "DELETE /v1/policies/mine",
        "POST /v1/query",
        "POST /v1/compile",
        "GET /v1/config",
        "GET /metrics",
        "POST /",
    ],
)
async def test_opa_answers_the_decision_paths_alone(demo_url: str, request_line: str) -> None:
    reader, writer = await asyncio.open_unix_connection(demo_url.removeprefix("unix://"))
    body = b"{}"
    writer.write(f"{request_line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    status = await reader.readline()
    writer.close()
    assert b" 401 " in status or b" 403 " in status
