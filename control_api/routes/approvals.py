"""Approvals: what waits for a person, and the person's word. A decision on anything but `pending` is a 409."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control_api import cursor
from control_api.callers import Caller, Role
from control_api.faults import Conflict, Forbidden, NotFound
from control_api.models import ApprovalDetailShown, ApprovalQuery, Approvals, ApprovalShown, Approve, Deny, Vote
from control_api.route import Answer, Call
from firewall.approval import Approval, Choice, State
from firewall.audit.events import approval_settled, voted
from firewall.ids import ApprovalId
from firewall.ports import CastVote, Item, Lost
from firewall.reads import ApprovalDetail


async def listed(call: Call) -> Answer:
    query: ApprovalQuery = call.query
    before = cursor.identifier(query.cursor, "apr")
    rows = await call.context.reads.approvals(
        query.status, before=None if before is None else ApprovalId(before), limit=query.limit + 1
    )
    rows, next_cursor = cursor.page(rows, query.limit, lambda row: row.id)
    summaries = await call.context.reads.summaries([row.id for row in rows])
    shown = [ApprovalShown.model_validate(_fields(row, summaries.get(row.id))) for row in rows]
    return Answer(content=Approvals(data=shown, next_cursor=next_cursor))


async def show(call: Call) -> Answer:
    return Answer(content=_detail(await _approval(call)))


async def approve(call: Call) -> Answer:
    given: Approve = call.body
    return await _vote(call, Choice.APPROVE, given.comment)


async def deny(call: Call) -> Answer:
    given: Deny = call.body
    return await _vote(call, Choice.DENY, given.reason)


async def _vote(call: Call, choice: Choice, comment: str) -> Answer:
    """The vote's entry always, the settlement's only if this vote settles it: the ledger knows, in the same commit."""
    approval = (await _approval(call)).approval
    caller = call.caller
    if not may_vote(caller, approval.terms.approvers):
        raise Forbidden(f"this approval is for {', '.join(approval.terms.approvers)}")
    key = str(caller.key_id)
    drafts = (
        voted(approval.id, voter=caller.name, voter_id=key, choice=choice, comment=comment, channel="api"),
        approval_settled(approval.id, choice=choice, voter=caller.name, voter_id=key),
    )
    # A person with two keys is one voter, or they would be a quorum by themselves.
    change = CastVote(approval_id=approval.id, voter_id=caller.name, voter=caller.name, choice=choice, comment=comment)
    outcome = await call.context.ledger.append(Item(drafts=drafts, change=change))
    if isinstance(outcome, Lost):
        if outcome.code == "missing":
            raise NotFound("no such approval")
        if outcome.state is State.PENDING:
            raise Conflict(f"{caller.name} has voted already", state=State.PENDING.value)
        state = outcome.state or State.EXPIRED
        raise Conflict(f"the approval is {state.value} already", state=state.value)
    call.context.metrics.votes.labels(choice.value).inc()
    found = await _approval(call)
    # What this vote made of it: whoever waits may have spent it since.
    return Answer(content=_detail(replace(found, approval=replace(found.approval, state=outcome.state or found.approval.state))))


def may_vote(caller: Caller, approvers: tuple[str, ...]) -> bool:
    """`approvers`: `role:ROLE` or a person's name. Administrators may always."""
    return caller.role is Role.ADMIN or f"role:{caller.role}" in approvers or f"name:{caller.name}" in approvers


async def _approval(call: Call) -> ApprovalDetail:
    found = await call.context.reads.approval(ApprovalId(call.id("apr")))
    if found is None:
        raise NotFound("no such approval")
    return found


def _detail(found: ApprovalDetail) -> ApprovalDetailShown:
    votes = [Vote(voter=vote.voter, choice=vote.choice, comment=vote.comment, at=vote.at) for vote in found.votes]
    summary = None if found.summary is None else dict(found.summary)
    card = None if summary is None else summary.pop("card", None)
    fields = _fields(found.approval, found.summary)
    return ApprovalDetailShown.model_validate({**fields, "card": card, "summary": summary, "votes": votes})


def _fields(approval: Approval, summary: Mapping[str, Any] | None) -> dict[str, object]:
    """`summary`: what was sealed; without a card where an earlier version asked, and None where it cannot be opened."""
    card = (summary or {}).get("card") or {}
    return {
        "title": card.get("title", approval.name),
        "sentence": card.get("sentence", f"{approval.agent} wants to do {approval.name}."),
        "id": approval.id,
        "status": approval.state,
        "agent": approval.agent,
        "agent_id": approval.agent_id,
        "action_id": approval.action_id,
        "name": approval.name,
        "kind": approval.kind,
        "risk": approval.risk,
        "method": approval.method,
        "host": approval.host,
        "reason": approval.reason,
        "rules": list(approval.rules),
        "revision": approval.revision,
        "digest": approval.digest,
        "quorum": approval.terms.quorum,
        "approvers": list(approval.terms.approvers),
        "requested_at": approval.requested_at,
        "expires_at": approval.expires_at,
        "grant_until": approval.grant_until,
        "decided_at": approval.decided_at,
        "decided_by": approval.decided_by,
        "comment": approval.comment,
        "spent_by": approval.spent_by,
    }
