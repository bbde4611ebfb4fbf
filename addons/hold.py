"""Waits, with the live connection, until an approver decides, the time is over, or the client leaves.

An approval is bound to the digest of the whole request. After the wait the policy and the addresses are asked again; whether
the approval can still be spent is settled in the transaction that records it (`record`).
"""

from collections.abc import Awaitable
from dataclasses import replace
from typing import TypedDict, assert_never

from addons.decide import Decide
from addons.locate import Locate
from addons.passage import Passage, Step
from addons.services import Services
from addons.waiting import Woken
from addons.walk import take
from firewall.audit import events
from firewall.card import card
from firewall.digest import digest
from firewall.errors import (
    Abandoned,
    AgentDisabled,
    ApprovalExpired,
    BodyTooLarge,
    ClientLeft,
    DeniedByApprover,
    HoldsFull,
    Pending,
    TooManyHolds,
)
from firewall.ids import ApprovalId, new_id
from firewall.ports import Appended, Item, Lost, OpenApproval
from firewall.redact import summary
from firewall.verdict import Deny
from firewall.verdict import Hold as Held

YIELD_SECONDS = 0.5
"""How long a waiter stands back for an older one, which may belong to a process that is gone, before it tries again."""
YIELD_LIMIT = 4.0
"""How much longer than it may be held a waiter stands back: an older one that is gone does not count any more by then."""


class _Told(TypedDict):
    rules: tuple[str, ...]
    revision: str


class Hold(Step):
    name = "hold"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._again: tuple[Step, ...] = (Decide(services), Locate(services))

    def __call__(self, passage: Passage) -> Awaitable[None] | None:
        if not isinstance(passage.verdict, Held):
            return None
        spoilt = passage.spoilt
        if spoilt is not None:
            raise type(spoilt)(spoilt.detail, rules=passage.verdict.rules, revision=passage.verdict.revision)
        if not passage.whole:
            if passage.left:
                raise Abandoned("the client left before its request was whole")
            self._set_aside(passage, passage.length)
            passage.parked, passage.inspecting = True, False
            return None
        if len(passage.flow.request.raw_content or b"") > self.services.limits.body_hold_bytes:
            raise BodyTooLarge("too large to approve", rules=passage.verdict.rules, revision=passage.verdict.revision)
        return self._hold(passage)

    async def _hold(self, passage: Passage) -> None:
        self._digest(passage)
        while not passage.approved:
            passage.approval_id, granted = await self._open(passage)
            if granted and not passage.yielding:
                passage.approved = True
            else:
                await self._wait(passage, passage.approval_id)
        # What was decided before the wait may not be what the policy says now.
        for step in self._again:
            await take(step, passage)

    def _set_aside(self, passage: Passage, length: int | None) -> None:
        """Sets memory aside for the body that is going to be read whole. `length`: bytes, None when only its end will tell."""
        limits, verdict = self.services.limits, passage.verdict
        if length is not None and length > limits.body_hold_bytes:
            raise BodyTooLarge("too large to approve", rules=verdict.rules, revision=verdict.revision)
        wanted = limits.body_hold_bytes if length is None else length
        if not self.services.memory.set_aside(passage, wanted, limit=limits.held_bytes):
            raise HoldsFull("too many large requests are held", rules=verdict.rules, revision=verdict.revision)

    def _digest(self, passage: Passage) -> None:
        request, action = passage.request, passage.with_action()
        if request is None or action.digest:
            return
        body = passage.flow.request.raw_content or b""
        passage.request = replace(request, body=body)
        text = digest(passage.request, agent_id=action.agent_id, body=body, key=self.services.digest_key)
        passage.action = replace(action, digest=text)

    async def _open(self, passage: Passage) -> tuple[ApprovalId, bool]:
        """The approval that this request waits for, and whether it is a grant already."""
        verdict, action, request = passage.verdict, passage.with_action(), passage.request
        if not isinstance(verdict, Held) or request is None:
            raise AssertionError("only what is held opens an approval")
        approval_id = ApprovalId(new_id("apr", int(self.services.now().timestamp() * 1000)))
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
            rules=verdict.rules,
            revision=verdict.revision,
            terms=verdict.terms,
            summary=summary(request) | {"card": card(action, request).public()},
            waits=True,
            holds_limit=self.services.limits.holds_per_agent,
        )
        entry = events.requested(
            approval_id, action, rules=verdict.rules, revision=verdict.revision, expires_in=verdict.terms.expires_in
        )
        told: _Told = {"rules": verdict.rules, "revision": verdict.revision}
        match await self.services.ledger.append(Item(drafts=(entry,), change=change)):
            case Appended():
                return approval_id, False
            case Lost(code="attached" | "granted" as code, approval_id=found) if found is not None:
                return found, code == "granted"
            case Lost(code="denied", approval_id=found) if found is not None:
                passage.approval_id = found
                raise DeniedByApprover(await self._why(found), **told)
            case Lost(code="expired", approval_id=found):
                passage.approval_id = found
                raise ApprovalExpired("the approval expired", **told)
            case Lost(code="too-many-holds"):
                raise TooManyHolds("the agent has too many held requests", **told)
            case Lost(code="agent-disabled"):
                raise AgentDisabled("the agent is disabled", **told)
            case other:
                raise AssertionError(f"the ledger answered {other!r}")

    async def _wait(self, passage: Passage, approval_id: ApprovalId) -> None:
        """Returns with `passage.approved` when the approval is this request's to spend, without when it must ask anew."""
        verdict = passage.verdict
        if isinstance(verdict, Deny):
            raise AssertionError("what is denied does not wait")
        told: _Told = {"rules": verdict.rules, "revision": verdict.revision}
        yielding, passage.yielding = passage.yielding, False
        left = passage.started + self._patience(passage) - self.services.clock()
        if passage.left:
            woken = Woken.LEFT
        elif yielding:
            woken = await self.services.room.stand_back(approval_id, passage.id, YIELD_SECONDS)
        else:
            woken = await self.services.room.wait(approval_id, passage.id, left)
        match woken:
            case Woken.APPROVED:
                passage.approved = True
            case Woken.SPENT:
                return
            case Woken.TIMEOUT if yielding and left > -YIELD_LIMIT:
                return
            case Woken.DENIED:
                raise DeniedByApprover(await self._why(approval_id), **told)
            case Woken.EXPIRED:
                raise ApprovalExpired("nobody decided in time", **told)
            case Woken.TIMEOUT:
                raise Pending(f"{verdict.reason.rstrip('.')}: still waiting for an approver", approval_id=approval_id, **told)
            case Woken.LEFT:
                raise ClientLeft("the client left while it was held", approval_id=approval_id, **told)
            case Woken.DISABLED:
                raise AgentDisabled("the agent's credential has ended", **told)
            case Woken.DRAINING:
                raise Pending("this gateway is shutting down; send it again", approval_id=approval_id, **told)
            case _:
                assert_never(woken)

    async def _why(self, approval_id: ApprovalId) -> str:
        approval = await self.services.approvals.get(approval_id)
        reason = "" if approval is None else approval.comment
        return f"an approver denied this request: {reason}" if reason else "an approver denied this request"

    def _patience(self, passage: Passage) -> float:
        """Seconds that this request may be held, counted from its arrival."""
        if passage.prefer_wait is not None:
            return passage.prefer_wait
        agent = passage.with_credential().agent
        return self.services.limits.hold_seconds if agent.hold_seconds is None else agent.hold_seconds
