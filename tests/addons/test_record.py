import pytest

from addons.passage import Passage
from addons.record import Record
from addons.walk import take
from firewall.audit.entry import Event
from firewall.egress import Route
from firewall.errors import AgentDisabled, DeniedByPolicy, LedgerUnavailable
from firewall.ids import ApprovalId
from firewall.ports import Item, Lost, Outcome, SpendGrant
from tests.addons.made import Made
from tests.gateway.rig import ALLOW, DENY, HOLD

APPROVAL = ApprovalId("apr_" + "1" * 32)


def allowed(made: Made) -> Passage:
    passage = made.classified()
    passage.verdict, passage.route = ALLOW, Route(addresses=("8.8.8.8",), port=80)
    return passage


def approved(made: Made) -> Passage:
    passage = allowed(made)
    passage.verdict, passage.approval_id, passage.approved = HOLD, APPROVAL, True
    return passage


async def test_an_allowed_request_is_on_record_with_its_address() -> None:
    made = Made()
    passage = allowed(made)
    assert await take(Record(made.services), passage) is None
    fields = made.ledger.fields(Event.ACTION_DECIDED)[0]
    assert (fields["effect"], fields["address"], fields["rules"]) == ("allow", "8.8.8.8", ["allowed"])
    assert passage.recorded


async def test_an_address_that_nobody_checked_is_on_record_as_that() -> None:
    made = Made()
    passage = allowed(made)
    passage.route = Route(addresses=("up.test",), port=80, unchecked=True)
    await take(Record(made.services), passage)
    assert made.ledger.fields(Event.ACTION_DECIDED)[0]["address"] == "unchecked"


async def test_what_could_not_be_recorded_is_not_recorded() -> None:
    made = Made()
    made.ledger.error = LedgerUnavailable("gone")
    passage = allowed(made)
    with pytest.raises(LedgerUnavailable):
        await take(Record(made.services), passage)
    assert not passage.owes_outcome


@pytest.mark.parametrize("kind", ["denied", "without a route", "held without an approval", "approved by no approval"])
async def test_what_is_not_allowed_is_never_recorded_as_allowed(kind: str) -> None:
    made = Made()
    passage = allowed(made)
    match kind:
        case "denied":
            passage.verdict = DENY
        case "without a route":
            passage.route = None
        case "held without an approval":
            passage.verdict = HOLD
        case _:
            passage.verdict, passage.approved = HOLD, True
    with pytest.raises(AssertionError):
        await take(Record(made.services), passage)
    assert made.ledger.drafts == []


async def test_a_grant_is_spent_in_the_very_append_that_records_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    items: list[Item] = []

    async def append(item: Item) -> Outcome:
        items.append(item)
        return Lost(code="agent-disabled")

    monkeypatch.setattr(made.ledger, "append", append)
    passage = approved(made)
    with pytest.raises(AgentDisabled):
        await take(Record(made.services), passage)
    (item,) = items
    assert [draft.event for draft in item.drafts] == [Event.GRANT_SPENT, Event.ACTION_DECIDED]
    assert isinstance(item.change, SpendGrant)
    assert (item.change.approval_id, item.change.revision) == (APPROVAL, HOLD.revision)
    assert not passage.recorded


@pytest.mark.parametrize(("code", "yielding"), [("not-approved", False), ("not-oldest", True)])
async def test_who_loses_the_grant_goes_back_to_its_hold(monkeypatch: pytest.MonkeyPatch, code: str, yielding: bool) -> None:
    made = Made()

    async def append(_item: Item) -> Outcome:
        return Lost(code=code)

    monkeypatch.setattr(made.ledger, "append", append)
    passage = approved(made)
    assert await take(Record(made.services), passage) == "hold"
    assert (passage.recorded, passage.approved, passage.yielding) == (False, False, yielding)


async def test_a_policy_that_changed_is_asked_again_and_the_approval_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()

    async def append(_item: Item) -> Outcome:
        return Lost(code="policy-changed")

    monkeypatch.setattr(made.ledger, "append", append)
    passage = approved(made)
    assert await take(Record(made.services), passage) == "hold"
    assert (passage.recorded, passage.approved) == (False, True)


async def test_a_refusal_is_on_record_with_its_code_and_ends_the_wait() -> None:
    made = Made()
    passage = made.classified()
    passage.refusal, passage.approval_id = DeniedByPolicy("no", rules=("r",)), APPROVAL
    await take(Record(made.services), passage)
    fields = made.ledger.fields(Event.ACTION_DECIDED)[0]
    assert (fields["effect"], fields["code"], fields["rules"], fields["approval"]) == ("deny", "policy", ["r"], APPROVAL)
    assert made.ledger.left == [passage.id]
    assert not passage.owes_outcome
