"""Asks the policy. No answer, an odd one, or one under a revision that nobody stored: not allowed."""

from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy
from firewall.question import question
from firewall.verdict import Allow, Deny, Hold


class Decide(Step):
    name = "decide"

    async def __call__(self, passage: Passage) -> None:
        action = passage.with_action()
        asked = question(action, now=self.services.now(), source_ip=passage.source_ip, counts={})
        verdict = await self.services.engine.decide(asked)
        revisions = self.services.revisions
        if isinstance(verdict, Allow | Hold):
            destinations = revisions.kept(verdict.revision) or await revisions.find(verdict.revision)
            if destinations is None:
                verdict = Deny(reason="the decision names a policy revision that does not exist", revision="")
            else:
                passage.destinations = destinations
        passage.verdict = verdict
        if isinstance(verdict, Deny):
            raise DeniedByPolicy(verdict.reason, rules=verdict.rules, revision=verdict.revision)
