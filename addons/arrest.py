"""The request is born denied: a 403 stands on the flow from its first byte (TRAPS 1)."""

from addons.answer import answer
from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy
from firewall.verdict import NOT_DECIDED


class Arrest(Step):
    name = "arrest"

    async def __call__(self, passage: Passage) -> None:
        passage.flow.response = answer(DeniedByPolicy(NOT_DECIDED.reason), passage.id)
        passage.flow.request.stream = False
