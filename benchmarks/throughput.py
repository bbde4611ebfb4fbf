"""Requests a second, CPU a request, and latencies, of both proxies in turns."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.system import Target

ROOT = Path(__file__).parents[1]
KINDS = ("http", "https", "new")
METHODS = ("GET", "POST")
CONCURRENCIES = (1, 16, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`kind`: http and https on kept connections, new for a new HTTPS connection each."""

    kind: str
    method: str
    concurrency: int


@dataclass(slots=True)
class Measured:
    """Medians of rounds. `cpu`: µs a request by part; latencies in µs."""

    rates: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    requests: int = 0

    def of(self, part: str) -> float:
        return statistics.median(self.cpu[part]) if part in self.cpu else 0.0

    @property
    def total_cpu(self) -> float:
        return sum(self.of(part) for part in ("gateway", "opa", "postgres"))

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def percentile(values: list[int], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1))])


def cells(*, quick: bool) -> list[Cell]:
    concurrencies = (16,) if quick else CONCURRENCIES
    return [Cell(kind=k, method=m, concurrency=c) for k in KINDS for m in METHODS for c in concurrencies]


def measure(
    targets: list[Target], ports: dict[str, int], wanted: list[Cell], *, rounds: int, seconds: float
) -> dict[Cell, dict[str, Measured]]:
    """Every round of a cell asks one proxy after the other, so that a noisy minute hits both."""
    found: dict[Cell, dict[str, Measured]] = {}
    for cell in wanted:
        results = found[cell] = {target.name: Measured() for target in targets}
        for number in range(rounds + 1):
            for target in targets:
                result = _round(target, ports, cell, seconds if number else seconds / 2)
                results[target.name].requests += result["requests"]
                if number:  # the first one warms up
                    _add(results[target.name], result)
        ours, theirs = results["firewall"], results["mitmdump"]
        print(f"  {cell.kind:5} {cell.method:4} {cell.concurrency:3}: "
              f"{ours.rate:7.0f} against {theirs.rate:7.0f} requests a second, "
              f"{ours.of('gateway'):6.0f} against {theirs.of('gateway'):6.0f} µs", file=sys.stderr)  # fmt: skip
    return found


def _round(target: Target, ports: dict[str, int], cell: Cell, seconds: float) -> dict[str, Any]:
    port = ports["http"] if cell.kind == "http" else ports["https"]
    job = {
        "kind": cell.kind, "method": cell.method, "concurrency": cell.concurrency, "seconds": seconds, "host": "127.0.0.1",
        "port": port, "proxy_port": target.proxy_port, "ca_file": target.ca_file, "credentials": target.credentials,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(json.dumps(job) + "\n")
        load.stdin.flush()
        if load.stdout.readline() != "ready\n":
            raise SystemExit(f"the load on {target.name} failed")
        before = {part: cpu.used(pids) for part, pids in target.parts.items()}
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
    if not line:
        raise SystemExit(f"the load on {target.name} failed")
    result: dict[str, Any] = json.loads(line)
    if result["bad"]:
        raise SystemExit(f"{target.name} answered otherwise than 200: {result['bad']}")
    result["cpu"] = {part: cpu.used(pids) - before[part] for part, pids in target.parts.items()}
    return result


def _add(into: Measured, result: dict[str, Any]) -> None:
    into.rates.append(result["requests"] / result["seconds"])
    into.p50.append(percentile(result["latencies"], 0.5) / 1000)
    into.p99.append(percentile(result["latencies"], 0.99) / 1000)
    for part, us in result["cpu"].items():
        into.cpu.setdefault(part, []).append(us / result["requests"])
