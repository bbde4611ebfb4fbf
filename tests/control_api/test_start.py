"""Beginning what was approved: asked again, spent once."""

import asyncio
from typing import Any

import pytest

from tests.control_api.routes.test_bundles import activate

pytestmark = pytest.mark.asyncio


async def test_a_pending_action_can_be_started_once_it_is_approved(governed: Any) -> None:
    reply = await governed.submit("write")
    assert (reply.status, reply.body["decision"]) == (201, "pending")
    path = f"/v1/actions/{reply.body['id']}"
    too_early = await governed.call("POST", path + "/start", {}, who="agent")
    assert (too_early.status, too_early.body["state"]) == (409, "pending")
    await governed.call("POST", f"/v1/approvals/{reply.body['approval_id']}/approve", {})
    assert (await governed.call("GET", path, who="agent")).body["decision"] == "allow"
    started = await governed.call("POST", path + "/start", {}, who="agent")
    assert (started.status, started.body["started"], started.body["effect"]) == (200, True, "allow")
    assert started.body["code"] is None
    assert (await governed.call("POST", path + "/start", {}, who="agent")).status == 409


async def test_what_was_not_held_has_nothing_to_start(governed: Any) -> None:
    reply = await governed.submit("read")
    started = await governed.call("POST", f"/v1/actions/{reply.body['id']}/start", {}, who="agent")
    assert (started.status, "not held" in started.body["detail"]) == (409, True)


async def test_a_policy_that_denies_meanwhile_wins_over_the_approval(governed: Any, wait_until: Any) -> None:
    path = await _approved(governed)
    revision = await activate(governed, "version: 1\nrules: [{id: no, effect: deny, reason: Not any more}]\n")

    async def taken_up() -> bool:
        return bool((await governed.submit("other")).body.get("revision") == revision)

    await wait_until(taken_up)
    started = await governed.call("POST", path, {}, who="agent")
    assert (started.status, started.body["detail"], started.body["rules"]) == (403, "Not any more", ["no"])
    assert await governed.entries("grant.spent") == []


async def test_another_agent_cannot_start_it(governed: Any) -> None:
    path = await _approved(governed)
    governed.keys["second"] = (await governed.agent("second"))[1]
    assert (await governed.call("POST", path, {}, who="second")).status == 404


async def test_two_attempts_that_share_an_approval_share_one_start(governed: Any) -> None:
    first, second = await governed.submit("write"), await governed.submit("write")
    await governed.call("POST", f"/v1/approvals/{first.body['approval_id']}/approve", {})
    paths = [f"/v1/actions/{reply.body['id']}" for reply in (first, second)]
    replies = await asyncio.gather(*[governed.call("POST", path + "/start", {}, who="agent") for path in paths])
    assert sorted(reply.status for reply in replies) == [200, 409]
    decisions = [(await governed.call("GET", path, who="agent")).body["decision"] for path in paths]
    assert sorted(decisions) == ["allow", "deny"]


async def _approved(api: Any) -> str:
    reply = await api.submit("write")
    await api.call("POST", f"/v1/approvals/{reply.body['approval_id']}/approve", {})
    return f"/v1/actions/{reply.body['id']}/start"
