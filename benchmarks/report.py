"""The figures as Markdown."""

import os
import platform
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.held import Waits
from benchmarks.latency import Added
from benchmarks.memory import Figure
from benchmarks.throughput import Cell, Measured
from benchmarks.workers import Workers

WIDTH = 130
NAMES = {"http": "HTTP, kept", "https": "HTTPS, kept", "http2": "HTTP/2 from the agent, kept", "new": "HTTPS, new connection"}

_HEAD = (
    "| | at once | requests/s | stock | ratio | gateway µs | stock µs | ratio | OPA µs | Postgres µs | sum µs | p50 ms | stock "
    "| p99 ms | stock |"
)


def table(found: Mapping[Cell, Mapping[str, Measured]]) -> str:
    lines = [_HEAD, "|---|" + "--:|" * (_HEAD.count("|") - 2)]
    for cell, results in found.items():
        ours, theirs = results["firewall"], results["mitmdump"]
        gateway, stock = ours.of("gateway"), theirs.of("gateway")
        cells = [
            f"{NAMES[cell.kind]}, {cell.method}", str(cell.concurrency),
            f"{ours.rate:.0f}", f"{theirs.rate:.0f}", f"{ours.rate / theirs.rate:.2f}",
            f"{gateway:.0f}", f"{stock:.0f}", f"{gateway / stock:.2f}",
            f"{ours.of('opa'):.0f}", f"{ours.of('postgres'):.0f}", f"{ours.total_cpu:.0f}",
            _ms(ours.p50), _ms(theirs.p50), _ms(ours.p99), _ms(theirs.p99),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ms(values: list[float]) -> str:
    return f"{statistics.median(values) / 1000:.1f}"


def beside(found: Mapping[Cell, Mapping[str, Measured]]) -> str:
    """What the API, the worker and the supervisors used meanwhile, which no request is charged with."""
    shares = [us / 10_000 for results in found.values() for us in results["firewall"].beside]
    return (
        f"- beside it, not in the sum: the API, the worker and the supervisors used {statistics.median(shares):.1f} % of one core "
        f"(at most {max(shares):.1f} %)"
    )


def waits(result: Waits) -> str:
    lines = [
        f"- approve to release with {r.held:,} held: p50 {r.p50:.1f} ms, p99 {r.p99:.1f} ms ({r.samples} samples; from just before "
        "the vote is sent, its commit included, to the first byte at the destination, a new TLS connection to it included)"
        for r in result.released
    ]
    return "\n".join(lines)


def memory(figures: Sequence[Figure]) -> str:
    return "\n".join(
        f"- memory, {each.name}: {each.value:.1f} {each.unit} (limit {each.limit:g}{', MISSED' if each.over else ''})"
        for each in figures
    )


def latency(found: Sequence[Added]) -> str:
    return "\n".join(
        f"- {each.name} adds at half of its load ({each.rate:.0f} requests a second, HTTPS, GET): p50 {each.p50:.1f} ms, "
        f"p99 {each.p99:.1f} ms"
        for each in found
    )


def several(found: Workers) -> str:
    ratio = found.two / found.one
    return (
        f"- two gateway workers use {found.two:.0f} µs a request where one uses {found.one:.0f} ({ratio:.2f}), and answer "
        f"{found.two_rate:.0f} requests a second where it answers {found.one_rate:.0f}; the load shares the cores (HTTPS, GET, 64)"
    )


def wrapped(text: str) -> str:
    """In lines that a person reads; tables stay as they are."""
    lines = [
        [line] if line.startswith("|") else textwrap.wrap(line, WIDTH, subsequent_indent="  " if line.startswith("- ") else "")
        for line in text.splitlines()
    ]
    return "\n".join(line for several in lines for line in several or [""]) + "\n"


def machine(now: datetime, versions: Mapping[str, str]) -> str:
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{now.astimezone(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, Linux {platform.release()}; {named}. "
        "Stock is `mitmdump -q`; the firewall is `aaf up` with one gateway worker, 1,000 rules, fsync and synchronous_commit on. "
        "One run on one machine, load and destination on it too: read the ratios. CPU is user and system time for each request; "
        "GET, and POST of 2 KB; 50 agents; medians of rounds in turns."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return f"{value.strip()} ({platform.machine()})"
    return platform.machine()
