"""Asks the policy. No answer, an odd one, or one under a revision that nobody stored: not allowed."""

from collections.abc import Awaitable

from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy
from firewall.question import question
from firewall.verdict import Allow, Deny, Hold, Verdict


class Decide(Step):
    name = "decide"

    def __call__(self, passage: Passage) -> Awaitable[Verdict]:
        asked = question(passage.with_action(), now=self.services.now(), source_ip=passage.source_ip, counts={})
        return self.services.engine.decide(asked)

    def answered(self, passage: Passage, result: Verdict | None) -> Awaitable[None] | None:
        if result is None:  # what `_look_up` found out
            return None
        if isinstance(result, Deny):
            passage.verdict = result
            raise DeniedByPolicy(result.reason, rules=result.rules, revision=result.revision)
        destinations = self.services.revisions.kept(result.revision)
        if destinations is None:
            return self._look_up(passage, result)
        passage.verdict, passage.destinations = result, destinations
        return None

    async def _look_up(self, passage: Passage, verdict: Allow | Hold) -> None:
        destinations = await self.services.revisions.find(verdict.revision)
        if destinations is None:
            passage.verdict = Deny(reason="the decision names a policy revision that does not exist")
            raise DeniedByPolicy(passage.verdict.reason)
        passage.verdict, passage.destinations = verdict, destinations
