"""Lists of actions, and what counts now of one that was recorded."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from control_api.routes.actions import decision
from firewall.approval import State
from firewall.ids import ActionId, AgentId, ApprovalId
from firewall.reads import ActionRecord

RECORD = ActionRecord(
    id=ActionId("act_1"), at=datetime(2026, 1, 1, tzinfo=UTC), agent_id=AgentId("agt_1"), agent="bot", name="a:b", kind="read",
    risk="low", method="API", scheme="api", host="", port=0, source="api", effect="pending", code="pending", rules=(),
    revision="r", approval_id=ApprovalId("apr_1"), decided_seq=0, outcome=None, status=None, request_bytes=None,
    response_bytes=None, duration_ms=None, parts=None, approval_state=State.PENDING,
)  # fmt: skip


@pytest.mark.parametrize(
    ("effect", "state", "spent_by", "expected"),
    [
        ("pending", State.PENDING, None, "pending"),
        ("pending", State.APPROVED, None, "allow"),
        ("pending", State.DENIED, None, "deny"),
        ("pending", State.EXPIRED, None, "deny"),
        ("allow", State.APPROVED, None, "allow"),
        ("allow", State.EXPIRED, None, "deny"),
        ("allow", State.SPENT, "act_1", "allow"),
        ("allow", State.SPENT, "act_2", "deny"),
        ("deny", State.DENIED, None, "deny"),
        ("error", None, None, "error"),
        ("something new", State.APPROVED, None, "deny"),
    ],
)
def test_an_action_by_api_follows_its_approval(effect: str, state: State | None, spent_by: Any, expected: str) -> None:
    assert decision(replace(RECORD, effect=effect, approval_state=state, approval_spent_by=spent_by)) == expected


def test_an_attempt_through_the_proxy_is_over_when_it_is_answered() -> None:
    assert decision(replace(RECORD, source="proxy", approval_state=State.APPROVED)) == "pending"


@pytest.mark.asyncio
async def test_actions_are_listed_newest_first_and_by_filter(governed: Any) -> None:
    ids = [(await governed.submit(operation, params={"n": n})).body["id"] for n, operation in enumerate(["read", "write", "erase"])]

    async def listed(query: str) -> list[str]:
        return [each["id"] for each in (await governed.call("GET", f"/v1/actions?{query}", who="viewer")).body["data"]]

    assert await listed("") == ids[::-1]
    assert await listed("effect=deny") == [ids[2]]
    assert await listed("name=files:read") == [ids[0]]
    assert await listed("agent=build-bot&source=api") == ids[::-1]
    assert await listed("agent=nobody") == []
    held = (await governed.call("GET", f"/v1/actions/{ids[1]}", who="viewer")).body
    assert await listed(f"approval_id={held['approval_id']}") == [ids[1]]
    assert (await governed.call("GET", "/v1/actions?approval_id=x")).status == 422
