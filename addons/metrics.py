"""What the gateway counts. No label names an agent, a host or a path."""

from bisect import bisect_left

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


BOUNDS = tuple(DECISION_SECONDS.labels("allow")._upper_bounds)


class Tally:
    """What was decided with one effect since the last flush. Every write to what workers share costs more than some steps do."""

    __slots__ = ("_counts", "_seconds")

    def __init__(self) -> None:
        self._counts = [0] * len(BOUNDS)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def flush(self, effect: str) -> None:
        DECISIONS.labels(effect).inc(sum(self._counts))
        histogram = DECISION_SECONDS.labels(effect)
        histogram._sum.inc(self._seconds)
        for bucket, count in zip(histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)


_tallies: dict[str, Tally] = {}


def decided(passage: Passage, effect: str, now: float) -> None:
    tally = _tallies.get(effect)
    if tally is None:
        tally = _tallies[effect] = Tally()
    tally.add(now - passage.started)


def flush() -> None:
    """Shows what was decided since the last time. Called about once a second, and at the end."""
    for effect in list(_tallies):
        _tallies.pop(effect).flush(effect)
