"""Actions without the proxy: decided by the real OPA, held, approved, and recorded once each."""

import asyncio
from typing import Any

import pytest

from tests.control_api.harness import opa_child, running, settings_for, until

pytestmark = pytest.mark.asyncio


async def test_an_allowed_action_is_recorded_before_it_is_answered(governed: Any) -> None:
    reply = await governed.submit("read", params={"name": "a"})
    assert (reply.status, reply.body["decision"]) == (201, "allow")
    assert (reply.body["name"], reply.body["source"], reply.body["rules"]) == ("files:read", "api", ["reads"])
    assert reply.body["reason"] == "Reads are fine"
    entries = await governed.entries("action.decided")
    assert [entry["action"] for entry in entries] == [reply.body["id"]]


async def test_what_no_rule_allows_is_denied_with_a_201(governed: Any) -> None:
    reply = await governed.submit("erase")
    assert (reply.status, reply.body["decision"], reply.body["code"]) == (201, "deny", "policy")


async def test_a_held_action_waits_for_the_approver_and_is_started_once(governed: Any) -> None:
    waiting = asyncio.create_task(governed.submit("write", wait=30, params={"to": "a"}))
    approval = (await _pending(governed))[0]
    shown = await governed.call("GET", f"/v1/approvals/{approval['id']}")
    assert shown.body["summary"] == {"source": "api", "tool": "files", "operation": "write", "params": {"to": "a"}}
    assert shown.body["card"]["body"] == '{\n  "to": "a"\n}'
    listed = ("files:write", f"{approval['agent']} wants to run files:write.")
    for each in (approval, shown.body, shown.body["card"]):
        assert (each["title"], each["sentence"]) == listed
    assert (await governed.call("POST", f"/v1/approvals/{approval['id']}/approve", {"comment": "go"})).status == 200
    reply = await waiting
    assert (reply.status, reply.body["decision"], reply.body["approval_id"]) == (201, "allow", approval["id"])
    assert (reply.body["title"], reply.body["doing"]) == ("files:write", "run files:write")
    path = f"/v1/actions/{reply.body['id']}/start"
    replies = await asyncio.gather(*[governed.call("POST", path, {}, who="agent") for _ in range(4)])
    assert sorted(each.status for each in replies) == [200, 409, 409, 409]
    assert len(await governed.entries("grant.spent")) == 1
    assert len(await governed.entries("action.decided")) == 1


async def test_the_same_action_again_attaches_to_the_same_approval(governed: Any) -> None:
    first, second = await governed.submit("write", params={"n": 1}), await governed.submit("write", params={"n": 1})
    other = await governed.submit("write", params={"n": 2})
    assert first.body["approval_id"] == second.body["approval_id"] != other.body["approval_id"]
    assert first.body["id"] != second.body["id"]
    assert len(await governed.entries("approval.requested")) == 2


async def test_a_denied_action_says_who_and_why_and_stays_denied(governed: Any) -> None:
    waiting = asyncio.create_task(governed.submit("write", wait=30))
    approval = (await _pending(governed))[0]
    await governed.call("POST", f"/v1/approvals/{approval['id']}/deny", {"reason": "not on a Friday"})
    reply = await waiting
    assert (reply.status, reply.body["decision"], reply.body["code"]) == (201, "deny", "approver")
    assert reply.body["reason"] == "denied by admin-person: not on a Friday"
    again = await governed.submit("write")
    assert (again.body["decision"], again.body["code"]) == ("deny", "approver")


async def test_an_approval_that_ran_out_denies(governed: Any) -> None:
    reply = await governed.submit("quick", wait=10)
    assert (reply.status, reply.body["decision"], reply.body["code"]) == (201, "deny", "expired")
    vote = await governed.call("POST", f"/v1/approvals/{reply.body['approval_id']}/approve", {})
    assert (vote.status, vote.body["state"]) == (409, "expired")


async def test_an_idempotency_key_answers_with_the_first_action(governed: Any) -> None:
    first = await governed.submit("read", params={"n": 1}, idempotency_key="k1")
    replay = await governed.submit("read", params={"n": 1}, idempotency_key="k1")
    assert (first.status, replay.status) == (201, 200)
    assert replay.body == first.body
    other = await governed.submit("read", params={"n": 2}, idempotency_key="k1")
    assert (other.status, other.body["type"]) == (409, "urn:aaf:problem:conflict")
    governed.keys["second"] = (await governed.agent("second"))[1]
    assert (await governed.submit("read", who="second", params={"n": 2}, idempotency_key="k1")).status == 201


async def test_with_the_same_key_again_one_waits_again_for_the_approver(governed: Any) -> None:
    first = await governed.submit("write", idempotency_key="k1")
    assert (first.status, first.body["decision"]) == (201, "pending")
    waiting = asyncio.create_task(governed.submit("write", wait=30, idempotency_key="k1"))

    async def waits() -> bool:
        return bool(governed.context.waiting)

    await until(waits)
    assert (await governed.call("POST", f"/v1/approvals/{first.body['approval_id']}/approve", {})).status == 200
    reply = await waiting
    assert (reply.status, reply.body["id"], reply.body["decision"]) == (200, first.body["id"], "allow")
    assert governed.context.waiting == {}


async def test_one_key_at_the_same_moment_is_one_action(governed: Any) -> None:
    replies = await asyncio.gather(*[governed.submit("read", idempotency_key="k") for _ in range(8)])
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert len({reply.body["id"] for reply in replies}) == 1
    assert len(await governed.entries("action.decided")) == 1


async def test_without_an_engine_it_is_503_and_says_which_setting(api: Any) -> None:
    reply = await api.submit("read")
    assert reply.status == 503
    assert "OPA_URL" in reply.body["detail"]
    ready = await api.call("GET", "/health/ready", who="nobody")
    assert (ready.status, ready.body["status"], ready.body["dependencies"]["opa"]["ok"]) == (200, "degraded", False)


async def test_an_engine_that_is_away_is_503_and_recorded(database: Any, tmp_path: Any) -> None:
    settings = settings_for(database, tmp_path, OPA_URL=f"unix://{tmp_path}/nobody.sock")
    async with running(settings, database) as api:
        reply = await api.submit("read")
        assert (reply.status, reply.body["type"]) == (503, "urn:aaf:problem:engine-unavailable")
        (entry,) = await api.entries("action.decided")
        assert (entry["action"], entry["effect"], entry["code"]) == (reply.body["action_id"], "error", "engine-unavailable")


async def test_agents_see_their_own_actions_alone(governed: Any) -> None:
    mine = await governed.submit("read")
    governed.keys["second"] = (await governed.agent("second"))[1]
    await governed.submit("read", who="second")
    assert (await governed.call("GET", f"/v1/actions/{mine.body['id']}", who="second")).status == 404
    listed = await governed.call("GET", "/v1/actions", who="agent")
    assert [each["id"] for each in listed.body["data"]] == [mine.body["id"]]
    assert len((await governed.call("GET", "/v1/actions")).body["data"]) == 2


async def test_params_that_are_too_large_are_refused(governed: Any) -> None:
    reply = await governed.submit("read", params={"x": "y" * (64 << 10)})
    assert (reply.status, reply.body["errors"][0]["path"]) == (422, "/params")


async def test_an_agent_may_not_have_more_open_questions_than_its_limit(database: Any, tmp_path: Any, opa_binary: Any) -> None:
    socket = tmp_path / "opa.sock"
    settings = settings_for(database, tmp_path, OPA_URL=f"unix://{socket}", AAF_HOLDS_PER_AGENT="2")
    async with running(settings, database) as api, opa_child(opa_binary, socket, api.url, api.bundle_token, tmp_path):
        await until(lambda: api.context.opa is not None and api.context.opa.ready())
        replies = [await api.submit("write", params={"n": n}) for n in range(3)]
        assert [reply.status for reply in replies] == [201, 201, 429]
        assert "Retry-After" in replies[2].headers


async def _pending(api: Any) -> Any:
    async def found() -> Any:
        return (await api.call("GET", "/v1/approvals?status=pending")).body["data"]

    return await until(found)
