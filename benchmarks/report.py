"""The figures as a Markdown table."""

import os
import platform
import statistics
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.held import Result
from benchmarks.throughput import Cell, Measured

NAMES = {"http": "HTTP, kept", "https": "HTTPS, kept", "new": "HTTPS, new connection"}


def table(found: dict[Cell, dict[str, Measured]]) -> str:
    lines = [
        "| | at once | requests/s | stock | gateway µs | stock µs | ratio | OPA µs | Postgres µs | sum µs "
        "| p50 ms | stock | p99 ms | stock |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for cell, results in found.items():
        ours, theirs = results["firewall"], results["mitmdump"]
        gateway, stock = ours.of("gateway"), theirs.of("gateway")
        cells = [
            f"{NAMES[cell.kind]}, {cell.method}", str(cell.concurrency), f"{ours.rate:.0f}", f"{theirs.rate:.0f}", f"{gateway:.0f}",
            f"{stock:.0f}", f"{gateway / stock:.2f}", f"{ours.of('opa'):.0f}", f"{ours.of('postgres'):.0f}", f"{ours.total_cpu:.0f}",
            _ms(ours.p50), _ms(theirs.p50), _ms(ours.p99), _ms(theirs.p99),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ms(values: list[float]) -> str:
    return f"{statistics.median(values) / 1000:.1f}"


def held(result: Result) -> str:
    lines = [
        f"- approve to release with {r.held:,} held: p50 {r.p50:.1f} ms, p99 {r.p99:.1f} ms ({r.samples} samples; from just before "
        "the vote is sent, its commit included, to the first byte at the destination)"
        for r in result.released
    ]
    lines.append(f"- memory for each held HTTPS request: {result.bytes_each / 1024:.0f} KiB")
    return "\n".join(lines)


def machine(now: datetime) -> str:
    return (
        f"{now.astimezone(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"mitmproxy {version('mitmproxy')}; stock is `mitmdump -q`, the firewall is `aaf up` with one gateway "
        "worker and 1,000 rules. "
        "One run on one machine: read the ratios. CPU is user and system time a request; GET, and POST of 2 KB; 50 agents; "
        "medians of rounds in turns."
    )
