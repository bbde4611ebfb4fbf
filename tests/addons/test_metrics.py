import pytest

from addons import metrics
from tests.addons.made import Made

SHOWN = [metrics.DECISIONS, metrics.DECISION_SECONDS, metrics.HELD, metrics.UNSETTLED, metrics.LOST]


@pytest.mark.parametrize("effect", ["allow", "deny", "pending", "error"])
async def test_every_decision_is_counted_and_timed_by_its_effect(effect: str) -> None:
    passage = Made().classified()
    metrics.flush()  # of other tests
    before = _count("aaf_decisions_total", effect), _count("aaf_decision_seconds_count", effect)
    for _ in range(2):
        metrics.decided(passage, effect, passage.started + 0.5)
    metrics.flush()
    metrics.flush()  # nothing is counted twice
    after = _count("aaf_decisions_total", effect), _count("aaf_decision_seconds_count", effect)
    assert after == (before[0] + 2, before[1] + 2)


async def test_what_lies_on_a_bound_counts_as_below_it() -> None:
    passage = Made().classified()
    passage.started = 0.0
    metrics.flush()
    name, shares = "aaf_decision_seconds_bucket", ("0.005", "0.01", "+Inf")
    before = [_count(name, "deny", le) for le in shares]
    metrics.decided(passage, "deny", 0.01)
    metrics.decided(passage, "deny", 10_000.0)
    metrics.flush()
    assert [_count(name, "deny", le) - was for le, was in zip(shares, before, strict=True)] == [0, 1, 2]


def test_no_label_names_an_agent_a_host_or_a_path() -> None:
    labels = {label for shown in SHOWN for metric in shown.collect() for sample in metric.samples for label in sample.labels}
    assert labels <= {"effect", "le"}


def _count(name: str, effect: str, le: str | None = None) -> float:
    samples = [sample for shown in SHOWN for metric in shown.collect() for sample in metric.samples if sample.name == name]
    return sum(each.value for each in samples if each.labels.get("effect") == effect and each.labels.get("le") == le)
