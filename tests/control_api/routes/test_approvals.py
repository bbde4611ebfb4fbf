"""Votes: decided once, by those who may, and by nobody twice."""

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio


async def test_a_second_decision_is_409_and_tells_the_state(governed: Any) -> None:
    path = await _held(governed, "write")
    first = await governed.call("POST", path + "/approve", {"comment": "fine"}, who="approver")
    assert (first.status, first.body["status"], first.body["decided_by"]) == (200, "approved", "approver-person")
    for choice in ("approve", "deny"):
        again = await governed.call("POST", f"{path}/{choice}", {}, who="admin")
        assert (again.status, again.body["state"]) == (409, "approved")


async def test_of_two_votes_at_once_one_decides(governed: Any) -> None:
    path = await _held(governed, "write")
    replies = await asyncio.gather(
        governed.call("POST", path + "/approve", {}, who="approver"), governed.call("POST", path + "/deny", {}, who="admin")
    )
    assert sorted(reply.status for reply in replies) == [200, 409]
    assert len(await governed.entries("approval.voted")) == 1
    assert len(await governed.entries("approval.approved") + await governed.entries("approval.denied")) == 1


async def test_a_quorum_takes_two_people_and_one_settlement(governed: Any) -> None:
    path = await _held(governed, "deploy")
    first = await governed.call("POST", path + "/approve", {}, who="approver")
    assert (first.status, first.body["status"]) == (200, "pending")
    assert await governed.entries("approval.approved") == []
    governed.keys["other-key"] = await governed.key("approver", "approver-person")
    again = await governed.call("POST", path + "/approve", {}, who="other-key")
    assert (again.status, again.body["state"]) == (409, "pending"), "two keys are not two people"
    second = await governed.call("POST", path + "/approve", {}, who="admin")
    assert (second.status, second.body["status"], len(second.body["votes"])) == (200, "approved", 2)
    assert len(await governed.entries("approval.approved")) == 1


async def test_the_comment_is_in_the_chain_as_a_commitment_only(governed: Any) -> None:
    path = await _held(governed, "write")
    await governed.call("POST", path + "/approve", {"comment": "because of Erika"})
    (entry,) = await governed.entries("approval.voted")
    assert (entry["approver"], entry["choice"], entry["channel"]) == ("admin-person", "approve", "api")
    assert "Erika" not in str(entry)
    assert len(entry["parts"]["comment"]) == 64


async def test_an_approval_that_nobody_asked_for_is_404(api: Any) -> None:
    for name in ("apr_" + "0" * 32, "act_" + "0" * 32, "nonsense", "apr_" + "G" * 32):
        assert (await api.call("POST", f"/v1/approvals/{name}/approve", {})).status == 404


async def test_lists_are_newest_first_and_go_on_at_the_cursor(governed: Any) -> None:
    paths = [await _held(governed, "write", n=n) for n in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await governed.call("GET", f"/v1/approvals?status=pending&limit=2{cursor}")).body
        seen += [f"/v1/approvals/{each['id']}" for each in page["data"]]
        cursor = None if page["next_cursor"] is None else f"&cursor={page['next_cursor']}"
    assert seen == paths[::-1]
    assert (await governed.call("GET", "/v1/approvals?status=denied")).body == {"data": [], "next_cursor": None}


async def _held(api: Any, operation: str, **params: Any) -> str:
    reply = await api.submit(operation, params=params)
    assert reply.body["decision"] == "pending"
    return f"/v1/approvals/{reply.body['approval_id']}"
