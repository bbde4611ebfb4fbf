"""What a second gateway worker costs: CPU a request of two beside that of one, in turns."""

import statistics
from dataclasses import dataclass

from benchmarks.place import Place
from benchmarks.system import Target
from benchmarks.throughput import Cell, run

CELL = Cell(kind="https", method="GET", concurrency=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """µs of CPU a request of all gateway workers together, and requests a second."""

    one: float
    two: float
    one_rate: float
    two_rate: float


def measure(one: Target, two: Target, place: Place, *, rounds: int, seconds: float) -> Workers:
    costs: dict[str, list[float]] = {"one": [], "two": []}
    rates: dict[str, list[float]] = {"one": [], "two": []}
    for number in range(rounds + 1):
        for name, target in (("one", one), ("two", two)):
            result, cpu = run(target, place, CELL, seconds)
            if number:  # the first one warms up
                costs[name].append(cpu["gateway"] / len(result.latencies))
                rates[name].append(len(result.latencies) / result.seconds)
    median = {name: statistics.median(values) for name, values in costs.items()}
    rate = {name: statistics.median(values) for name, values in rates.items()}
    return Workers(one=median["one"], two=median["two"], one_rate=rate["one"], two_rate=rate["two"])
