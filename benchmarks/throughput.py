"""Requests a second, CPU a request, and latencies, of both proxies in turns."""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.load import Job, Result
from benchmarks.place import Place
from benchmarks.system import Target

ROOT = Path(__file__).parents[1]
KINDS = ("http", "https", "http2", "new")
METHODS = ("GET", "POST")
CONCURRENCIES = (1, 16, 64)
COUNTED = ("gateway", "opa", "postgres")
"""What works for each request. The API, the worker and the supervisors run beside it, and are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`kind`: http, https and http2 on kept connections, new for a new HTTPS connection each."""

    kind: str
    method: str
    concurrency: int


@dataclass(slots=True)
class Measured:
    """One value a round: requests a second; µs of CPU a request by part; latencies in µs; and what ran beside it, in µs of CPU a
    second. `asked`: all requests so far, warm-up included."""

    rates: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    asked: int = 0

    def add(self, result: Result, cpu: dict[str, int]) -> None:
        """`cpu`: µs used in this round, by part."""
        requests = len(result.latencies)
        self.rates.append(requests / result.seconds)
        self.p50.append(percentile(result.latencies, 0.5) / 1000)
        self.p99.append(percentile(result.latencies, 0.99) / 1000)
        for part in COUNTED:
            self.cpu.setdefault(part, []).append(cpu.get(part, 0) / requests)
        self.beside.append(sum(us for part, us in cpu.items() if part not in COUNTED) / result.seconds)

    def of(self, part: str) -> float:
        return statistics.median(self.cpu[part])

    @property
    def total_cpu(self) -> float:
        return sum(self.of(part) for part in COUNTED)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def percentile(values: Sequence[int], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return float(ordered[max(1, math.ceil(round(share * len(ordered), 6))) - 1])


def cells(*, quick: bool) -> list[Cell]:
    concurrencies = (16,) if quick else CONCURRENCIES
    return [Cell(kind=k, method=m, concurrency=c) for k in KINDS for m in METHODS for c in concurrencies]


def measure(
    targets: Sequence[Target], place: Place, wanted: Sequence[Cell], *, rounds: int, seconds: float
) -> dict[Cell, dict[str, Measured]]:
    """Every round of a cell asks one proxy after the other, so that a noisy minute hits both, and each is the first in turns."""
    found: dict[Cell, dict[str, Measured]] = {}
    for cell in wanted:
        results = found[cell] = {target.name: Measured() for target in targets}
        for number in range(rounds + 1):
            for target in targets if number % 2 else reversed(targets):
                result, cpu = run(target, place, cell, seconds if number else seconds / 2)
                results[target.name].asked += result.asked
                if number:  # the first one warms up
                    results[target.name].add(result, cpu)
        ours, theirs = results["firewall"], results["mitmdump"]
        print(f"  {cell.kind:5} {cell.method:4} {cell.concurrency:3}: "
              f"{ours.rate:7.0f} against {theirs.rate:7.0f} requests a second, "
              f"{ours.of('gateway'):6.0f} against {theirs.of('gateway'):6.0f} µs", file=sys.stderr)  # fmt: skip
    return found


def run(target: Target, place: Place, cell: Cell, seconds: float, *, rate: float = 0.0) -> tuple[Result, dict[str, int]]:
    """One round: what came of it, and µs of CPU by part of the target. Ends the program if an answer was not 200."""
    job = Job(
        kind=cell.kind, method=cell.method, concurrency=cell.concurrency, seconds=seconds, host=place.host,
        port={"http": place.http, "http2": place.http2}.get(cell.kind, place.https),
        proxy_port=target.proxy_port, ca_file=target.ca_file, credentials=target.credentials, rate=rate,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(json.dumps(asdict(job)) + "\n")
        load.stdin.flush()
        if load.stdout.readline() != "ready\n":
            raise SystemExit(f"FAILED: the load on {target.name} broke off")
        before = target.cpu()
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
        after = target.cpu()
    if not line:
        raise SystemExit(f"FAILED: the load on {target.name} broke off")
    result = Result(**json.loads(line))
    if result.bad:
        raise SystemExit(f"FAILED: {target.name} answered otherwise than 200: {result.bad[:5]}")
    if not result.latencies:
        raise SystemExit(f"FAILED: {target.name} answered nothing within {seconds:g} s")
    return result, {part: us - before[part] for part, us in after.items()}
