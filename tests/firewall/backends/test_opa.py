"""The engine's client against servers that fail in every way. That the real OPA answers is `tests/contracts/test_engine.py`."""

import asyncio
import json
from typing import Any

import pytest

from firewall.backends.opa import OpaEngine
from firewall.errors import EngineUnavailable
from firewall.verdict import Allow, Deny
from tests.opa_server import http, made_up

pytestmark = pytest.mark.asyncio


def said(effect: str = "allow", **other: Any) -> dict[str, Any]:
    approval = {"quorum": 1, "approvers": ["role:approver"], "expires_in": 60, "grant_for": 30}
    whole = {"effect": effect, "revision": "sha256:r", "reason": "fine", "rules": ["a"], "risk": "low", "approval": approval}
    return {**whole, "obligations": {}, **other}


def answer_to(body: bytes) -> bytes:
    """Allows all; a batch gets one answer for each question, which names it."""
    asked = json.loads(body)["input"]
    if "batch" in asked:
        return http(json.dumps({"result": [said(reason=f"for {one['n']}") for one in asked["batch"]]}).encode())
    return http(json.dumps({"result": said(reason=f"for {asked['n']}")}).encode())


async def refused(engine: OpaEngine, question: dict[str, Any]) -> str:
    with pytest.raises(EngineUnavailable) as error:
        await engine.decide(question)
    return error.value.detail


async def test_the_first_question_goes_at_once_and_those_that_queue_go_together() -> None:
    sizes: list[int] = []

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        sizes.append(len(json.loads(body)["input"].get("batch", [None])))
        writer.write(answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        verdicts = await asyncio.gather(*[engine.decide({"n": n}) for n in range(70)])
        await engine.close()
    assert sizes == [32, 32, 6] or sizes == [1, 32, 32, 5]
    assert [verdict.reason for verdict in verdicts] == [f"for {n}" for n in range(70)]


async def test_a_batch_that_fails_is_asked_again_one_by_one() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(body)["input"]
        poisoned = any(one["n"] == 3 for one in asked.get("batch", [asked]))
        writer.write(http(b'{"code":"internal_error"}', 500) if poisoned else answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        results = await asyncio.gather(*[engine.decide({"n": n}) for n in range(8)], return_exceptions=True)
        await engine.close()
    assert [type(result) for result in results] == [EngineUnavailable if n == 3 else Allow for n in range(8)]


async def test_a_batch_that_is_slow_is_asked_again_one_by_one_and_the_slow_one_lets_the_others_go_first() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(body)["input"]
        if any(one["n"] == 0 for one in asked.get("batch", [asked])):
            await asyncio.Event().wait()
        writer.write(answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url, slow=0.1, timeout=3)
        futures = [engine.decide({"n": n}) for n in range(6)]
        done = await asyncio.gather(*futures[1:])
        assert all(isinstance(verdict, Allow) for verdict in done)
        with pytest.raises(EngineUnavailable, match="no answer in time"):
            await futures[0]
        await engine.close()


async def test_silence_ends_after_the_timeout_and_the_engine_goes_on() -> None:
    silent = True

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        if silent:
            await asyncio.Event().wait()
        writer.write(answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url, timeout=0.2)
        assert "no answer in time" in await refused(engine, {"n": 1})
        silent = False
        for _ in range(50):
            try:
                assert isinstance(await engine.decide({"n": 2}), Allow)
                break
            except EngineUnavailable:
                continue
        else:
            pytest.fail("the engine never came back")
        await engine.close()


async def test_a_kept_connection_that_was_closed_is_opened_once_more() -> None:
    calls = 0

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            writer.close()
        else:
            writer.write(answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        assert isinstance(await engine.decide({"n": 1}), Allow)
        assert isinstance(await engine.decide({"n": 2}), Allow)
        await engine.close()
    assert calls == 3


@pytest.mark.parametrize(
    "raw",
    [
        http(b"{}"),
        http(b'{"result": null}'),
        http(b'{"result": []}'),
        http(b"[]"),
        http(b"not json"),
        http(b'{"result": true}'),
        http(b"{}", 503),
        http(json.dumps({"result": said("maybe")}).encode()),
        http(json.dumps({"result": said(extra=1)}).encode()),
        http(json.dumps({"result": {k: v for k, v in said().items() if k != "obligations"}}).encode()),
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    ],
)
async def test_nonsense_is_no_verdict(raw: bytes) -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    async with made_up(answer) as url:
        engine = OpaEngine(url, timeout=1)
        await refused(engine, {"n": 1})
        await engine.close()


async def test_unknown_obligations_and_a_missing_revision_deny() -> None:
    answers = [said(obligations={"lend": "x"}), said(revision=""), {k: v for k, v in said().items() if k != "revision"}]

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(http(json.dumps({"result": answers[json.loads(body)["input"]["n"]]}).encode()))

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        verdicts = [await engine.decide({"n": n}) for n in range(3)]
        await engine.close()
    assert all(isinstance(verdict, Deny) for verdict in verdicts)
    assert verdicts[0].reason == "the policy asks for an obligation this version does not know"
    assert verdicts[1].reason == verdicts[2].reason == "the policy's answer names no revision"


async def test_a_question_that_no_json_can_hold_is_refused_alone() -> None:
    engine = OpaEngine("unix:///nonexistent")
    assert "cannot be put" in await refused(engine, {"path": "\ud800"})
    await engine.close()


async def test_whoever_left_is_not_asked_for() -> None:
    seen: list[int] = []
    gate = asyncio.Event()

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(body)["input"]
        seen.extend(one["n"] for one in asked.get("batch", [asked]))
        await gate.wait()
        writer.write(answer_to(body))

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        first = engine.decide({"n": 0})
        while not seen:
            await asyncio.sleep(0.01)
        left, stayed = engine.decide({"n": 1}), engine.decide({"n": 2})
        left.cancel()
        gate.set()
        await asyncio.gather(first, stayed)
        await engine.close()
    assert seen == [0, 2]


async def test_a_closed_engine_refuses_what_waits_and_what_comes() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with made_up(answer) as url:
        engine = OpaEngine(url)
        waiting = engine.decide({"n": 1})
        await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(EngineUnavailable):
            await waiting
        assert "closed" in await refused(engine, {"n": 2})
