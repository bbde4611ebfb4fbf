import pytest

from addons import metrics, settle
from addons.passage import Passage
from addons.settle import Settle
from addons.walk import take
from firewall.audit.entry import Event
from firewall.errors import LedgerUnavailable, UpstreamTimeout
from tests.addons.made import Made
from tests.gateway.rig import until


def released(made: Made) -> Passage:
    passage = made.classified()
    passage.recorded = passage.released = True
    passage.status, passage.request_bytes, passage.response_bytes = 201, 4, 1000
    return passage


async def test_what_came_back_is_on_record() -> None:
    made = Made()
    await take(Settle(made.services), released(made))
    await until(lambda: made.ledger.drafts)
    fields = made.ledger.fields(Event.ACTION_COMPLETED)[0]
    assert (fields["status"], fields["request_bytes"], fields["response_bytes"]) == (201, 4, 1000)
    assert made.ledger.drafts[0].parts.keys() == {"body_sha256"}


async def test_what_failed_is_on_record_with_its_code() -> None:
    made = Made()
    passage = released(made)
    passage.failure = UpstreamTimeout("silent")
    await take(Settle(made.services), passage)
    await until(lambda: made.ledger.drafts)
    assert made.ledger.failed() == ["upstream-timeout"]


async def test_an_outcome_is_written_once() -> None:
    made = Made()
    step, passage = Settle(made.services), released(made)
    for _ in range(3):
        await take(step, passage)
    await until(lambda: made.ledger.drafts)
    assert len(made.ledger.drafts) == 1


async def test_what_was_never_allowed_has_no_outcome() -> None:
    made = Made()
    passage = released(made)
    passage.recorded = False
    await take(Settle(made.services), passage)
    assert not passage.settled
    assert made.ledger.drafts == []


async def test_what_the_ledger_refuses_is_kept_and_tried_again() -> None:
    made = Made()
    made.ledger.error = LedgerUnavailable("gone")
    step = Settle(made.services)
    await take(step, released(made))
    await until(lambda: len(step) == 1)
    await step.again()
    await until(lambda: len(step) == 1)
    made.ledger.error = None
    await step.again()
    await until(lambda: made.ledger.drafts)
    assert len(step) == 0


async def test_what_cannot_be_kept_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "UNSETTLED_LIMIT", 1)
    made = Made()
    made.ledger.error = LedgerUnavailable("gone")
    before = _lost()
    step = Settle(made.services)
    await take(step, released(made))
    await take(step, released(made))
    await until(lambda: _lost() == before + 1)
    assert len(step) == 1


def _lost() -> float:
    (metric,) = metrics.LOST.collect()
    return float(next(sample.value for sample in metric.samples if sample.name.endswith("_total")))
