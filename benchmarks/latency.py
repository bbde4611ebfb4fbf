"""What a proxy adds to the time that a request takes, at half of the load that it can carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.place import Place
from benchmarks.system import Target
from benchmarks.throughput import Cell, percentile, run

CELL = Cell(kind="https", method="GET", concurrency=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Milliseconds above the same requests sent directly. `rate`: requests a second, half of what this proxy managed."""

    name: str
    rate: float
    p50: float
    p99: float


def measure(targets: Sequence[Target], place: Place, *, seconds: float) -> list[Added]:
    found = []
    for target in targets:
        most, _ = run(target, place, CELL, seconds)
        rate = len(most.latencies) / most.seconds / 2
        direct = Target(name="direct", proxy_port=0, ca_file=str(place.ca_file), credentials=target.credentials, parts={})
        without, _ = run(direct, place, Cell(kind="direct", method="GET", concurrency=16), seconds, rate=rate)
        through, _ = run(target, place, CELL, seconds, rate=rate)
        found.append(
            Added(
                name=target.name,
                rate=rate,
                p50=(percentile(through.latencies, 0.5) - percentile(without.latencies, 0.5)) / 1e6,
                p99=(percentile(through.latencies, 0.99) - percentile(without.latencies, 0.99)) / 1e6,
            )
        )
    return found
