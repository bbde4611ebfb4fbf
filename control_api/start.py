"""Begin an action that was approved: ask again, as after any wait, and spend the grant, once (SEMANTICS 1 and 3)."""

import asyncio

from control_api.ask import decide, rebuild
from control_api.faults import Conflict, Recorded
from control_api.route import Call
from firewall.approval import State
from firewall.audit.events import grant_spent
from firewall.errors import AgentDisabled, DeniedByPolicy, EngineUnavailable
from firewall.ports import Item, Lost, SpendGrant
from firewall.reads import ActionRecord
from firewall.verdict import Deny

TRIES = 5
TRY_SECONDS = 0.2


async def start(call: Call, record: ActionRecord) -> None:
    """Spends the approval that `record` carries. Raises Conflict when it is not to be had (any more)."""
    if record.approval_id is None:
        raise Conflict("the action was not held: there is nothing to start")
    if record.approval_state is not State.APPROVED:
        raise _not_approved(record.approval_state)
    action = rebuild(record)
    for _ in range(TRIES):
        try:
            verdict = await decide(call, action)
        except EngineUnavailable as error:
            raise Recorded(error, action.id) from error
        if isinstance(verdict, Deny):
            raise Recorded(DeniedByPolicy(verdict.reason, rules=verdict.rules, revision=verdict.revision), action.id)
        spend = SpendGrant(
            approval_id=record.approval_id,
            action_id=action.id,
            digest=action.digest,
            agent_id=action.agent_id,
            revision=verdict.revision,
        )
        outcome = await call.context.ledger.append(Item(drafts=(grant_spent(record.approval_id, action),), change=spend))
        if not isinstance(outcome, Lost):
            return
        match outcome.code:
            case "policy-changed":
                await asyncio.sleep(TRY_SECONDS)  # the engine has yet to fetch the revision that is active now
            case "not-oldest":
                raise Conflict("a request that has waited longer goes first", state=State.APPROVED.value)
            case "agent-disabled":
                raise Recorded(AgentDisabled("the agent is disabled"), action.id)
            case _:
                raise _not_approved(outcome.state)
    raise Recorded(EngineUnavailable("the policy engine has not taken up the active policy"), action.id)


def _not_approved(state: State | None) -> Conflict:
    state = state or State.EXPIRED
    return Conflict(f"its approval is {state.value}", state=state.value)
