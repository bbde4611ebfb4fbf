"""A soak: mixed load for a while, and whether anything is left of it.

    python -m tests.e2e.soak --minutes 10 [--workers 2]

Allowed and denied requests, holds that are approved, denied, expire or are waited for no longer, bodies that stream up and down,
event streams, WebSockets, and clients that leave in every phase. At the end: every answer was the expected one, memory and
descriptors of the workers are steady (their last third against their first), no task and no connection is left, the log has no
error, the chain verifies, and every allowed action has one outcome.
"""

import argparse
import asyncio
import os
import ssl
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import resident
from tests.conftest import Database
from tests.e2e.fuzz import UNSETTLED, errors, gauge
from tests.e2e.parts import Parts, until
from tests.e2e.pki import TestAuthority
from tests.e2e.soak_load import THINGS, Load, Site

HOSTS = ("open.test", "closed.test", "held.test", "brief.test")
POLICY = """
version: 1
default: deny
rules:
  - id: open
    effect: allow
    hosts: [open.test]
  - id: held
    effect: require_approval
    hosts: [held.test]
    approval: {expires_in: 60s, grant_for: 60s}
  - id: brief
    effect: require_approval
    hosts: [brief.test]
    approval: {expires_in: 2s, grant_for: 2s}
"""
LANES = 24
WARM = 4
MEGABYTE = 1 << 20
SAMPLE_SECONDS = 1.0
STEADY_BYTES = 12 * MEGABYTE
"""How much more memory each worker may have in the last third than in the first."""
STEADY_FILES = 20
POOL_FILES = 12
"""Descriptors of each worker that come and go by themselves: its connections to the database and to OPA."""


# --- what is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Of one worker each: bytes and descriptors."""

    memory: list[int]
    files: list[int]


def sample(pids: list[int]) -> Sample:
    return Sample(memory=[resident(pid) for pid in pids], files=[len(os.listdir(f"/proc/{pid}/fd")) for pid in pids])


@dataclass(slots=True, kw_only=True)
class Report:
    """`memory`, `files`: medians of the first third and of the last, the largest worker's. `tasks`: before and after."""

    did: Counter[str]
    entries: int
    memory: tuple[float, float]
    files: tuple[float, float]
    tasks: tuple[float, float]
    faults: list[str]


def thirds(series: list[list[int]]) -> list[tuple[float, float]]:
    """For each worker the median of its first and of its last third."""
    third = max(1, len(series) // 3)
    return [
        (statistics.median(each[:third]), statistics.median(each[-third:]))
        for each in (list(worker) for worker in zip(*series, strict=True))
    ]


async def warm_up(load: Load) -> None:
    """Everything once or more on each worker, so that what they keep for ever is there."""
    await asyncio.gather(*(load.do(name) for name in THINGS for _ in range(WARM)))
    await asyncio.to_thread(until, lambda: gauge(load.parts, "aaf_client_connections") == 0)
    await asyncio.to_thread(until, lambda: gauge(load.parts, "aaf_unsettled_outcomes") == 0)


async def run(parts: Parts, seconds: float, steady_bytes: int = STEADY_BYTES) -> Report:
    """`parts`: started."""
    agents = [await asyncio.to_thread(parts.agent, f"agent-{number}") for number in range(5)]
    load = Load(parts, agents, ssl.create_default_context(cafile=parts.ca_file))
    pids = sorted(parts.gateway.workers())
    voting = asyncio.create_task(load.approver())
    await warm_up(load)
    before, tasks = sample(pids), await asyncio.to_thread(gauge, parts, "aaf_tasks")
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(load.lane())
        while time.monotonic() < end and len(load.faults) < 20:
            await asyncio.sleep(SAMPLE_SECONDS)
            samples.append(sample(pids))
        load.stopping = True
    voting.cancel()
    await asyncio.gather(voting, return_exceptions=True)
    faults = load.faults + await asyncio.to_thread(check, parts, before, tasks)
    if sorted(parts.gateway.workers()) != pids:
        faults.append("a worker died")
    memory, files = thirds([each.memory for each in samples]), thirds([each.files for each in samples])
    faults += [f"memory went from {first:g} to {last:g} bytes" for first, last in memory if last - first > steady_bytes]
    faults += [f"descriptors went from {first:g} to {last:g}" for first, last in files if last - first > STEADY_FILES]
    after = await asyncio.to_thread(gauge, parts, "aaf_tasks")
    entries = int((await asyncio.to_thread(parts.sql, "select count(*) from aaf.audit_log"))[0][0])
    return Report(
        did=load.did, entries=entries, memory=max(memory, key=lambda each: each[1]), files=max(files, key=lambda each: each[1]),
        tasks=(tasks, after), faults=faults,
    )  # fmt: skip


def check(parts: Parts, before: Sample, tasks: float) -> list[str]:
    """What is left once all clients have gone, in words."""
    faults = []

    def comes_to(fact: Callable[[], bool], words: Callable[[], str]) -> None:
        try:
            until(fact, 30)
        except AssertionError:
            faults.append(words())

    def files() -> list[int]:
        idle = int(gauge(parts, "aaf_upstream_idle_connections"))
        now = sample(sorted(parts.gateway.workers())).files
        return [each - base - POOL_FILES - idle for each, base in zip(now, before.files, strict=True)]

    comes_to(
        lambda: gauge(parts, "aaf_client_connections") == 0,
        lambda: f"{gauge(parts, 'aaf_client_connections'):g} client connections are left",
    )
    comes_to(lambda: gauge(parts, "aaf_held_requests") == 0, lambda: f"{gauge(parts, 'aaf_held_requests'):g} are still held")
    comes_to(lambda: gauge(parts, "aaf_tasks") <= tasks, lambda: f"{gauge(parts, 'aaf_tasks'):g} tasks are left of {tasks:g}")
    comes_to(lambda: max(files()) <= 0, lambda: f"{max(files())} descriptors are left")
    comes_to(lambda: parts.sql(UNSETTLED)[0][0] == 0, lambda: f"{parts.sql(UNSETTLED)[0][0]} actions have no outcome, or too many")
    if (fault := parts.verify()) is not None:
        faults.append(f"the chain: entry {fault.seq}: {fault.reason}")
    return faults + errors(parts)


async def whole(
    database: Database, opa: Path, authority: TestAuthority, *, seconds: float, workers: int, steady_bytes: int = STEADY_BYTES
) -> Report:
    """Starts everything, loads it, and stops it."""
    site = Site()
    servers = await site.start(authority.issue(*HOSTS))
    settings = {
        "AAF_CONNECT_TO": f":443:127.0.0.1:{site.ports[443]},:80:127.0.0.1:{site.ports[80]}",
        "AAF_UPSTREAM_CA_FILE": str(authority.file),
        "AAF_GATEWAY_WORKERS": str(workers),
    }
    parts = Parts(database, opa, policy_text=POLICY, settings=settings)
    try:
        await asyncio.to_thread(parts.start)
        return await run(parts, seconds, steady_bytes)
    finally:
        await asyncio.to_thread(parts.close)
        for server in servers:
            server.close()


def main() -> int:
    """Without pytest: a system of its own."""
    import tempfile

    from tests.conftest import start_server

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--opa", type=Path, default=Path(os.environ.get("OPA_BIN", ".tools/opa")))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aaf-soak-")))
        servers = start_server()
        server = next(servers)
        stack.callback(lambda: next(servers, None))
        database = asyncio.run(server.create())
        seconds = options.minutes * 60
        report = asyncio.run(
            whole(database, options.opa.resolve(), TestAuthority(folder), seconds=seconds, workers=options.workers)
        )
    print(f"did         {sum(report.did.values())}: " + ", ".join(f"{name} {n}" for name, n in sorted(report.did.items())))
    first, last = report.memory
    print(f"memory      {first / MEGABYTE:.1f} MB in the first third, {last / MEGABYTE:.1f} MB in the last, of the larger worker")
    print(f"descriptors {report.files[0]:g} in the first third, {report.files[1]:g} in the last")
    print(f"tasks       {report.tasks[0]:g} before, {report.tasks[1]:g} after; {report.entries} entries")
    for fault in report.faults[:20]:
        print(f"FAULT       {fault}")
    print("all is well" if not report.faults else f"{len(report.faults)} faults")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
