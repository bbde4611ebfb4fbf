"""The request is born denied: a 403 stands on the flow from its first byte (TRAPS 1)."""

from addons.answer import answer
from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy
from firewall.verdict import NOT_DECIDED

ARRESTED = answer(DeniedByPolicy(NOT_DECIDED.reason), None, close=True)
"""Stands in the way and is never meant to be seen: a refusal brings an answer of its own."""


class Arrest(Step):
    name = "arrest"

    def __call__(self, passage: Passage) -> None:
        passage.flow.response = ARRESTED
        passage.flow.request.stream = False
