"""`make bench`: one run, printed and written to `benchmarks/results.md`. `--quick` measures less, and writes nothing.

Exit status 1: an answer was not 200, fewer decisions stand in the log than requests were answered, the database was not as safe
as it ships, or memory went over a limit.
"""

import argparse
import asyncio
import platform
import ssl
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from benchmarks import classify, held, latency, memory, report, throughput, workers
from benchmarks.place import destination
from benchmarks.system import Access, Target, firewall, mitmdump

RESULTS = Path(__file__).parent / "results.md"

_ALLOWED = """
select count(*) from aaf.audit_log
where event = 'action.decided' and convert_from(body, 'UTF8')::jsonb ->> 'effect' = 'allow'
"""
_ACTIONS = "select count(*) from aaf.actions where effect = 'allow'"
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


async def _recorded(access: Access) -> tuple[int, int]:
    """How many requests the log says were allowed, and how many the actions' table shows."""
    connection = await asyncpg.connect(access.dsn)
    try:
        return int(await connection.fetchval(_ALLOWED)), int(await connection.fetchval(_ACTIONS))
    finally:
        await connection.close()


async def _versions(access: Access, target: Target) -> dict[str, str]:
    """Of what was measured. Ends the program if the database was made quicker than it is safe."""
    connection = await asyncpg.connect(access.dsn)
    try:
        for setting in _DURABLE:
            value = await connection.fetchval(f"show {setting}")
            if value != "on":
                raise SystemExit(f"FAILED: {setting} is {value}")
        postgres = str(await connection.fetchval("show server_version")).partition(" ")[0]
    finally:
        await connection.close()
    program = Path(f"/proc/{target.parts['opa'][0]}/exe").resolve()
    said = subprocess.check_output([program, "version"], text=True)
    return {
        "Python": platform.python_version(), "mitmproxy": version("mitmproxy"), "uvloop": version("uvloop"),
        "OPA": said.partition("Version:")[2].split()[0], "PostgreSQL": postgres,
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one concurrency, one round, fewer holds; results.md stays")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="aaf-bench-files-") as name, destination(Path(name)) as place:
        folder = Path(name)
        named = classify.section(folder, quick=quick)  # first, while nothing else runs
        many = 100 if quick else 1000
        with firewall(folder, place) as (ours, access):  # new and empty, so that memory shows what is held
            waits = asyncio.run(held.measure(ours, access, place, many=many, samples=20 if quick else 200))
        figures = [memory.each(waits.bytes_each, many), *memory.measure(folder, place, quick=quick)]
        with mitmdump(folder, place.ca_file) as stock, firewall(folder, place) as (ours, access):
            versions = asyncio.run(_versions(access, ours))
            rounds, seconds = (1, 1.0) if quick else (3, 2.0)
            found = throughput.measure([stock, ours], place, throughput.cells(quick=quick), rounds=rounds, seconds=seconds)
            added = latency.measure([stock, ours], place, seconds=seconds)
            asked = sum(results["firewall"].asked for results in found.values())
            entries, actions = asyncio.run(_recorded(access))
        with firewall(folder, place) as (one, _), firewall(folder, place, workers=2) as (two, _):
            several = workers.measure(one, two, place, rounds=rounds, seconds=seconds)
    if min(entries, actions) < asked:
        stored = f"{entries} decisions stand in the log, {actions} in actions"
        print(f"FAILED: {asked} requests were answered; {stored}", file=sys.stderr)
        return 1
    text = f"{report.machine(datetime.now(UTC), versions)}\n\n{report.table(found)}\n\n"
    text += f"{report.waits(waits)}\n{report.memory(figures)}\n{report.latency(added)}\n"
    text += f"{report.several(several)}\n{report.beside(found)}\n"
    text += f"{named}\n"
    text += f"- {asked:,} requests were answered through the firewall, {entries:,} decisions stand in its log\n"
    print(text)
    if not quick:
        RESULTS.write_text(report.wrapped(text))
    return 1 if any(figure.over for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
