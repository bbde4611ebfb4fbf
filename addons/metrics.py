"""What the gateway counts. No label names an agent, a host or a path."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from addons.passage import Passage

DECISIONS = Counter("aaf_decisions_total", "Requests decided, by effect.", ["effect"])
DECISION_SECONDS = Histogram(
    "aaf_decision_seconds",
    "From a request's head to its decision, holds included.",
    ["effect"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 60, 600),
)
HELD = Gauge("aaf_held_requests", "Requests that wait for an approver now.", multiprocess_mode="livesum")
UNSETTLED = Gauge("aaf_unsettled_outcomes", "Outcomes that wait to be recorded.", multiprocess_mode="livesum")
LOST = Counter("aaf_lost_outcomes_total", "Outcomes that could not be kept for another try.")


def decided(passage: Passage, effect: str, now: float) -> None:
    count, seconds = _of(effect)
    count.inc()
    seconds.observe(now - passage.started)


@cache
def _of(effect: str) -> tuple[Counter, Histogram]:
    return DECISIONS.labels(effect), DECISION_SECONDS.labels(effect)
