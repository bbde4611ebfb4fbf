import pytest

from addons import metrics
from tests.addons.made import Made

SHOWN = [metrics.DECISIONS, metrics.DECISION_SECONDS, metrics.HELD, metrics.UNSETTLED, metrics.LOST]


@pytest.mark.parametrize("effect", ["allow", "deny", "pending", "error"])
async def test_every_decision_is_counted_and_timed_by_its_effect(effect: str) -> None:
    passage = Made().classified()
    before = _count("aaf_decisions_total", effect), _count("aaf_decision_seconds_count", effect)
    metrics.decided(passage, effect, passage.started + 0.5)
    after = _count("aaf_decisions_total", effect), _count("aaf_decision_seconds_count", effect)
    assert after == (before[0] + 1, before[1] + 1)


def test_no_label_names_an_agent_a_host_or_a_path() -> None:
    labels = {label for shown in SHOWN for metric in shown.collect() for sample in metric.samples for label in sample.labels}
    assert labels <= {"effect", "le"}


def _count(name: str, effect: str) -> float:
    samples = [sample for shown in SHOWN for metric in shown.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name == name and sample.labels.get("effect") == effect)
