import pytest

from addons.decide import Decide
from addons.walk import take
from firewall.errors import DeniedByPolicy, EngineUnavailable
from firewall.verdict import Allow, Hold
from tests.addons.made import Made
from tests.gateway.rig import ALLOW, DENY, HOLD

QUESTION_KEYS = {"action", "agent", "context", "findings"}


@pytest.mark.parametrize("verdict", [ALLOW, HOLD])
async def test_the_engines_verdict_is_taken_with_what_its_revision_says_of_destinations(verdict: Allow | Hold) -> None:
    made = Made()
    made.engine.verdict = verdict
    passage = made.classified()
    await take(Decide(made.services), passage)
    assert (passage.verdict, passage.destinations) == (verdict, made.revisions.destinations)
    assert made.engine.asked[0].keys() == QUESTION_KEYS
    assert made.engine.asked[0]["context"]["source_ip"] == "127.0.0.1"


async def test_a_denial_ends_the_request_with_reason_and_rules() -> None:
    made = Made()
    made.engine.verdict = DENY
    with pytest.raises(DeniedByPolicy) as raised:
        await take(Decide(made.services), made.classified())
    assert (raised.value.detail, raised.value.rules, raised.value.revision) == (DENY.reason, DENY.rules, DENY.revision)


async def test_an_engine_that_cannot_be_asked_allows_nothing() -> None:
    made = Made()
    made.engine.available = False
    passage = made.classified()
    with pytest.raises(EngineUnavailable):
        await take(Decide(made.services), passage)
    assert passage.destinations is None


@pytest.mark.parametrize("kind", [Allow, Hold])
async def test_a_verdict_under_a_revision_that_nobody_stored_is_a_denial(kind: type[Allow] | type[Hold]) -> None:
    made = Made()
    made.engine.verdict = kind(reason="ok", rules=("r",), revision="sha256:unknown")
    passage = made.classified()
    with pytest.raises(DeniedByPolicy, match="does not exist"):
        await take(Decide(made.services), passage)
    assert passage.destinations is None
