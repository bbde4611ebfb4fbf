"""An action without the proxy: the same classes, the same engine, the same holds, the same chain (`source: api`).

1. The idempotency key, if it is taken, answers; while its action is pending, a caller may wait again. 2. Classify, digest,
decide. 3. A hold opens an approval, or attaches to it, and waits. 4. Exactly one `action.decided` is committed before the
caller hears. What carries an approval is begun by `start`.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control_api import ask
from control_api.faults import Conflict, Recorded, Unavailable
from control_api.hint import Hint
from control_api.models import Submission
from control_api.route import Call
from firewall.action import Action
from firewall.approval import Approval, State
from firewall.audit.events import decided, requested
from firewall.card import card
from firewall.errors import (
    AgentDisabled,
    ApprovalExpired,
    DeniedByApprover,
    DeniedByPolicy,
    EngineUnavailable,
    LedgerUnavailable,
    Pending,
    Refused,
    TooManyHolds,
)
from firewall.ids import ActionId, AgentId, ApprovalId, to_uuid
from firewall.ports import Agent, ClaimKey, Item, Lost, OpenApproval
from firewall.redact import masked
from firewall.verdict import Allow, Deny, Hold

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is written down about one attempt, before it is answered."""

    effect: str
    reason: str
    rules: tuple[str, ...]
    revision: str
    code: str | None = None
    approval: ApprovalId | None = None


async def submit(call: Call, agent: Agent, given: Submission, wait: float) -> tuple[ActionId, bool]:
    """The action that answers, and whether it is an earlier one. Raises Recorded when the attempt ended in an error."""
    if call.context.opa is None:
        raise Unavailable("OPA_URL is not set: no policy engine can be asked")
    params_hash = hashlib.sha256(ask.canonical_params(given)).digest()
    key = given.idempotency_key
    if key is not None:
        taken = await call.context.reads.claim(agent.id, key)
        if taken is not None:
            if taken.params_hash != params_hash:
                raise _other_params()
            return taken.action_id, True
    action = ask.build(call, agent, given)
    try:
        ruling = await _rule(call, action, given, wait)
    except LedgerUnavailable as error:
        raise Recorded(error, action.id) from error
    except Refused as error:
        ruling = Ruling(effect=error.effect, code=error.code, reason=error.detail, rules=error.rules, revision=error.revision)
        await _record(call, action, ruling, None)
        raise Recorded(error, action.id) from error
    claim = None if key is None else ClaimKey(agent_id=agent.id, key=key, params_hash=params_hash, action_id=action.id)
    lost = await _record(call, action, ruling, claim)
    if lost is None:
        return action.id, False
    if lost.code == "replayed" and lost.action_id is not None:
        return lost.action_id, True
    raise _other_params()


async def wait_again(call: Call, approval_id: ApprovalId, agent: Agent, wait: float) -> None:
    """For an earlier action that is pending still: until its approval is decided, or time is up. Raises TooManyHolds."""
    deadline = asyncio.get_running_loop().time() + wait
    with _place(call, agent.id, (), ""):
        await _wait(call, approval_id, deadline)


async def _record(call: Call, action: Action, ruling: Ruling, claim: ClaimKey | None) -> Lost | None:
    entry = decided(
        action,
        effect=ruling.effect,
        code=ruling.code,
        reason=ruling.reason,
        rules=ruling.rules,
        revision=ruling.revision,
        approval=ruling.approval,
    )
    try:
        outcome = await call.context.ledger.append(Item(drafts=(entry,), change=claim))
    except LedgerUnavailable as error:
        raise Recorded(error, action.id) from error
    if isinstance(outcome, Lost):
        return outcome
    call.context.metrics.decisions.labels(ruling.effect).inc()
    return None


async def _rule(call: Call, action: Action, given: Submission, wait: float) -> Ruling:
    """Raises Refused for an attempt that ends in an error, which is recorded as such."""
    match await ask.decide(call, action):
        case Allow() as verdict:
            return Ruling(effect="allow", reason=verdict.reason, rules=verdict.rules, revision=verdict.revision)
        case Deny() as verdict:
            return Ruling(
                effect="deny", code=DeniedByPolicy.code, reason=verdict.reason, rules=verdict.rules, revision=verdict.revision
            )
        case Hold() as verdict:
            return await _hold(call, action, given, verdict, wait)


async def _hold(call: Call, action: Action, given: Submission, verdict: Hold, wait: float) -> Ruling:
    deadline = asyncio.get_running_loop().time() + wait
    with _place(call, action.agent_id, verdict.rules, verdict.revision):
        while True:
            approval_id = await _open(call, action, given, verdict)
            if isinstance(approval_id, Ruling):
                return approval_id
            found = await _wait(call, approval_id, deadline)
            ruling = None if found is None else _ruling(found, verdict)
            if ruling is not None:
                return ruling
            # Another request spent what this one waited for: those that are left share one fresh approval.


@contextmanager
def _place(call: Call, agent_id: AgentId, rules: tuple[str, ...], revision: str) -> Iterator[None]:
    """One of the requests that an agent may have waiting here. Raises TooManyHolds."""
    waiting, limit = call.context.waiting, call.context.settings.holds_per_agent
    if waiting.get(agent_id, 0) >= limit:
        raise TooManyHolds(f"the agent has {limit} held requests", rules=rules, revision=revision)
    waiting[agent_id] = waiting.get(agent_id, 0) + 1
    try:
        yield
    finally:
        waiting[agent_id] -= 1
        if not waiting[agent_id]:
            del waiting[agent_id]


async def _open(call: Call, action: Action, given: Submission, verdict: Hold) -> ApprovalId | Ruling:
    """The approval to wait for, or what was ruled already."""
    context, limit = call.context, call.context.settings.holds_per_agent
    rules, revision = verdict.rules, verdict.revision
    # Nobody of these is in the queue of waiters, which the ledger counts, so the open questions are counted here.
    if await context.reads.pending_count(action.agent_id) >= limit:
        raise TooManyHolds(f"the agent has {limit} pending approvals", rules=rules, revision=revision)
    approval_id = ApprovalId(context.new_id("apr"))
    change = OpenApproval(
        approval_id=approval_id,
        action_id=action.id,
        digest=action.digest,
        agent=action.agent,
        agent_id=action.agent_id,
        name=action.name,
        kind=action.kind.value,
        risk=action.risk.value,
        method=action.method,
        host=action.host,
        reason=verdict.reason,
        rules=rules,
        revision=revision,
        terms=verdict.terms,
        summary={
            "source": "api",
            "tool": given.tool,
            "operation": given.operation,
            "params": masked(given.params),
            "card": card(action, params=given.params).public(),
        },
        waits=False,
        holds_limit=limit,
    )
    entry = requested(approval_id, action, rules=rules, revision=revision, expires_in=verdict.terms.expires_in)
    outcome = await context.ledger.append(Item(drafts=(entry,), change=change))
    if not isinstance(outcome, Lost):
        return approval_id
    match outcome.code:
        case "attached" | "granted" if outcome.approval_id is not None:
            return outcome.approval_id
        case "denied" | "expired" if outcome.approval_id is not None:
            found = await context.reads.approval_now(outcome.approval_id)
            if found is not None and (ruling := _ruling(found, verdict)) is not None:
                return ruling
            raise EngineUnavailable("the approval changed meanwhile; send it again", rules=rules, revision=revision)
        case "agent-disabled":
            raise AgentDisabled("the agent is disabled", rules=rules, revision=revision)
        case _:
            raise TooManyHolds(f"the agent has {limit} held requests", rules=rules, revision=revision)


async def _wait(call: Call, approval_id: ApprovalId, deadline: float) -> Approval | None:
    """The approval once it is decided, or as it is when time is up, or the process drains."""
    context, loop = call.context, asyncio.get_running_loop()
    topic = str(to_uuid(approval_id))
    while True:
        ticket = context.approvals_hint.ticket(topic)
        found = await context.reads.approval_now(approval_id)
        remaining = deadline - loop.time()
        if found is None or found.state is not State.PENDING or remaining <= 0 or context.closing.is_set():
            return found
        await Hint.wait(ticket, min(POLL_SECONDS, remaining))


def _ruling(approval: Approval, verdict: Hold) -> Ruling | None:
    """None when another request has spent the approval."""
    effect, code, reason = "deny", ApprovalExpired.code, "the approval expired before anyone decided"
    match approval.state:
        case State.PENDING:
            effect, code, reason = "pending", Pending.code, verdict.reason
        case State.APPROVED:
            effect, code, reason = "allow", "", f"approved by {approval.decided_by}"
        case State.SPENT:
            return None
        case State.DENIED:
            said = f": {approval.comment}" if approval.comment else ""
            code, reason = DeniedByApprover.code, f"denied by {approval.decided_by}{said}"
        case State.EXPIRED if approval.grant_until is not None:
            reason = "the approval was given but not used in time"
        case State.EXPIRED | State.CANCELLED:
            pass
    return Ruling(
        effect=effect, code=code or None, reason=reason, rules=verdict.rules, revision=verdict.revision, approval=approval.id
    )


def _other_params() -> Conflict:
    return Conflict("this idempotency key was used for another action")
