"""A fuzzer over the whole gateway: clients and destinations that do what they should not, over one pool.

    python -m tests.e2e.fuzz --answers 100000 [--seed N] [--workers 2]

Clients abort, pipeline, post, stall, leave and come back, as several agents; destinations close, reset, lie about lengths, stall
and send too much (`fuzz_client`, `fuzz_site`). Each request has a name of its own. Every answer must be that of its request, whole
or visibly cut; a request reaches its destination once, or twice when it may be repeated and the connection was used before; a good
request fails only where its connection was ended on purpose. Afterwards the chain verifies, every allowed request has one outcome,
nothing is open any more and no error was logged. The seed fixes what is asked, not when.
"""

import argparse
import asyncio
import json
import os
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Database
from tests.e2e.fuzz_client import CLOSED, HOSTS, Lane, Tally
from tests.e2e.fuzz_site import Site
from tests.e2e.parts import Parts, until
from tests.e2e.pki import TestAuthority

AGENTS = 4
LANES = 48
RESPONSE_SECONDS = 5
UNSETTLED = """
select count(*) filter (where decided <> 1 or outcomes <> allowed) from (
    select body ->> 'action',
        count(*) filter (where event = 'action.decided') as decided,
        count(*) filter (where event = 'action.decided' and body ->> 'effect' = 'allow') as allowed,
        count(*) filter (where event in ('action.completed', 'action.failed')) as outcomes
    from (select event, convert_from(body, 'UTF8')::jsonb as body from aaf.audit_log) each
    where event like 'action.%' group by 1
) counted
"""
"""Actions that were not decided once, or that have no outcome or too many."""

POLICY = f"""
version: 1
default: deny
rules:
  - id: open
    effect: allow
    hosts: [{", ".join(HOSTS)}]
    paths: ['/f/**']
  - id: closed
    effect: deny
    hosts: [{", ".join(HOSTS)}]
    paths: ['{CLOSED}**']
"""


@dataclass(slots=True, kw_only=True)
class Report:
    answers: int
    counts: Counter[str]
    arrivals: int
    again: int
    """How many requests were sent once more."""
    entries: int
    seconds: float
    faults: list[str]


async def run(parts: Parts, site: Site, *, answers: int, seed: int, lanes: int = LANES) -> Report:
    """`parts`: started."""
    agents = [await asyncio.to_thread(parts.agent, f"agent-{number}") for number in range(AGENTS)]
    tally, tls, begun = Tally(), ssl.create_default_context(cafile=parts.ca_file), time.monotonic()

    def stop() -> bool:
        return tally.answers >= answers or len(tally.faults) + len(site.faults) > 20

    async with asyncio.TaskGroup() as group:
        for number in range(lanes):
            group.create_task(Lane(number, seed, site, agents, tls, tally, stop).run())
        if answers > 10_000:
            group.create_task(_tell(tally, site, stop))
    seconds = time.monotonic() - begun
    faults = tally.faults + site.faults + await asyncio.to_thread(check, parts)
    came = site.arrivals.values()
    entries = int((await asyncio.to_thread(parts.sql, "select count(*) from aaf.audit_log"))[0][0])
    return Report(
        answers=tally.answers, counts=tally.counts, arrivals=sum(map(len, came)), again=sum(len(each) > 1 for each in came),
        entries=entries, seconds=seconds, faults=faults,
    )  # fmt: skip


async def _tell(tally: Tally, site: Site, stop: Callable[[], bool]) -> None:
    while not stop():
        await asyncio.sleep(10)
        print(f"  {tally.answers} answers, {len(tally.faults) + len(site.faults)} faults", file=sys.stderr, flush=True)


def check(parts: Parts) -> list[str]:
    """What is wrong once all clients have left, in words."""
    faults = []
    try:
        until(lambda: parts.sql(UNSETTLED)[0][0] == 0, 30)
    except AssertionError:
        faults.append(f"{parts.sql(UNSETTLED)[0][0]} actions have no outcome, or too many")
    try:
        until(lambda: gauge(parts, "aaf_client_connections") == 0, 30)
    except AssertionError:
        faults.append(f"{gauge(parts, 'aaf_client_connections'):g} client connections are left")
    if (fault := parts.verify()) is not None:
        faults.append(f"the chain: entry {fault.seq}: {fault.reason}")
    return faults + errors(parts)


def gauge(parts: Parts, name: str) -> float:
    lines = parts.gateway.metrics().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def errors(parts: Parts) -> list[str]:
    """Whatever a gateway logged that is no information."""
    found = []
    for line in parts.gateway.log().splitlines():
        try:
            level = json.loads(line).get("level")
        except ValueError:
            level = "none"
        if level != "info":
            found.append(f"logged: {line[:2000]}")
    return found


async def whole(database: Database, opa: Path, authority: TestAuthority, *, answers: int, seed: int, workers: int) -> Report:
    """Starts everything, asks, and stops it."""
    site = Site(seed)
    servers = await site.start(authority.issue(*HOSTS))
    settings = {
        "AAF_CONNECT_TO": f":443:127.0.0.1:{site.ports[443]},:80:127.0.0.1:{site.ports[80]}",
        "AAF_UPSTREAM_CA_FILE": str(authority.file),
        "AAF_GATEWAY_WORKERS": str(workers),
        "AAF_RESPONSE_SECONDS": str(RESPONSE_SECONDS),
    }
    parts = Parts(database, opa, policy_text=POLICY, settings=settings)
    try:
        await asyncio.to_thread(parts.start)
        return await run(parts, site, answers=answers, seed=seed)
    finally:
        await asyncio.to_thread(parts.close)
        for server in servers:
            server.close()


def main() -> int:
    """Without pytest: a system of its own."""
    import tempfile

    from tests.conftest import start_server

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--opa", type=Path, default=Path(os.environ.get("OPA_BIN", ".tools/opa")))
    options = parser.parse_args()
    print(f"seed        {options.seed}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aaf-fuzz-")))
        servers = start_server()
        server = next(servers)
        stack.callback(lambda: next(servers, None))
        database = asyncio.run(server.create())
        work = whole(
            database, options.opa.resolve(), TestAuthority(folder), answers=options.answers, seed=options.seed,
            workers=options.workers,
        )  # fmt: skip
        report = asyncio.run(work)
    print(f"answers     {report.answers} in {report.seconds:.0f} s, {report.answers / report.seconds:.0f} a second")
    print("            " + ", ".join(f"{name} {n}" for name, n in sorted(report.counts.items())))
    print(f"arrivals    {report.arrivals}, sent once more {report.again}, entries {report.entries}")
    for fault in report.faults[:20]:
        print(f"FAULT       {fault}")
    print("all is well" if not report.faults else f"{len(report.faults)} faults")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
