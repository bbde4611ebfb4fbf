"""The decision goes into the chain, durably, before one byte leaves. A grant is spent in the same commit."""

import asyncio
from collections.abc import Awaitable

import structlog

from addons.passage import Passage, Step
from firewall.audit import events
from firewall.errors import AgentDisabled, EngineUnavailable, Pending, Refused
from firewall.ports import Appended, Item, Lost, Outcome, SpendGrant
from firewall.verdict import Allow, Deny
from firewall.verdict import Hold as Held

STALE_SECONDS = 0.1
STALE_LIMIT = 100
"""How often, and how many times, an approved request is judged again until the engine has the policy that is active."""

log = structlog.get_logger()


class Record(Step):
    name = "record"

    def __call__(self, passage: Passage) -> Awaitable[Outcome]:
        if passage.refusal is not None:
            return self._refused(passage, passage.refusal)
        return self._released(passage)

    def _released(self, passage: Passage) -> Awaitable[Outcome]:
        action, verdict, route = passage.with_action(), passage.verdict, passage.route
        if isinstance(verdict, Deny) or route is None:
            raise AssertionError("what is not allowed came to be recorded as allowed")
        if isinstance(verdict, Held) and not passage.approved:
            raise AssertionError("what is held came to be recorded without an approval")
        decided = events.decided(
            action,
            effect="allow",
            code=None,
            reason=verdict.reason,
            rules=verdict.rules,
            revision=verdict.revision,
            approval=passage.approval_id if passage.approved else None,
            address=events.UNCHECKED if route.unchecked else route.addresses[0],
        )
        if isinstance(verdict, Allow) and not passage.approved:
            return self.services.ledger.append(Item(drafts=(decided,)))
        if passage.approval_id is None:
            raise AssertionError("approved by no approval")
        spend = SpendGrant(
            approval_id=passage.approval_id,
            action_id=action.id,
            digest=action.digest,
            agent_id=action.agent_id,
            revision=verdict.revision,
        )
        item = Item(drafts=(events.grant_spent(passage.approval_id, action), decided), change=spend)
        return self.services.ledger.append(item)

    def answered(self, passage: Passage, result: Outcome | str | None) -> str | Awaitable[str] | None:
        match result:
            case None | str():
                return result  # what `_judge_again` gave back
            case Appended():
                passage.recorded = True
                return None
            case Lost(code="agent-disabled"):
                raise AgentDisabled("the agent is disabled", rules=passage.verdict.rules, revision=passage.verdict.revision)
            case Lost(code="policy-changed"):
                return self._judge_again(passage)
            case Lost(code=code):
                passage.approved = False
                passage.yielding = code == "not-oldest"
                return "hold"

    async def _judge_again(self, passage: Passage) -> str:
        """Still approved: judged again under the new revision, then recorded, when the engine has it."""
        passage.stale += 1
        if passage.stale > STALE_LIMIT:
            raise EngineUnavailable("the policy engine has not taken up the active policy", rules=passage.verdict.rules)
        await asyncio.sleep(STALE_SECONDS)
        return "hold"

    def _refused(self, passage: Passage, refusal: Refused) -> Awaitable[Outcome]:
        approval = refusal.approval_id if isinstance(refusal, Pending) else passage.approval_id
        draft = events.decided(
            passage.with_action(),
            effect=refusal.effect,
            code=refusal.code,
            reason=refusal.detail,
            rules=refusal.rules,
            revision=refusal.revision,
            approval=approval,
        )
        if passage.approval_id is not None:
            self.services.ledger.leave(passage.id)
        return self.services.ledger.append(Item(drafts=(draft,)))
