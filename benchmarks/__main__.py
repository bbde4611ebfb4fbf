"""`make bench`: one run, printed and written to `benchmarks/results.md`. `--quick` measures less, and says less."""

import argparse
import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from benchmarks import held, report, throughput
from benchmarks.system import firewall, make_pki, mitmdump, upstream

RESULTS = Path(__file__).parent / "results.md"
_ENTRIES = (
    "select count(*) from aaf.audit_log where event = 'action.decided' and convert_from(body, 'UTF8')::jsonb ->> 'effect' = 'allow'"
)


async def _recorded(data_dir: Path) -> int:
    connection = await asyncpg.connect(json.loads((data_dir / "database.json").read_text())["app_dsn"])
    try:
        return int(await connection.fetchval(_ENTRIES))
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one concurrency, one round, fewer holds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="aaf-bench-files-") as name:
        folder = Path(name)
        ca_file, certificate, key = make_pki(folder)
        with (
            upstream(certificate, key) as ports,
            mitmdump(folder, ca_file) as stock,
            firewall(folder, ca_file, ports) as (ours, data_dir),
        ):
            found = throughput.measure(
                [stock, ours], ports, throughput.cells(quick=quick), rounds=1 if quick else 3, seconds=1.0 if quick else 2.0
            )
            done = sum(results["firewall"].requests for results in found.values())
            recorded = asyncio.run(_recorded(data_dir))
            if recorded < done:
                print(f"FAILED: {done} requests were answered, and {recorded} decisions stand in the log", file=sys.stderr)
                return 1
            waits = held.measure(ours, data_dir, ports, many=100 if quick else 1000, samples=20 if quick else 200)
    text = f"{report.machine(datetime.now(UTC))}\n\n{report.table(found)}\n\n{report.held(waits)}\n"
    text += f"\n{done:,} requests through the firewall, {recorded:,} decisions in its log.\n"
    print(text)
    if not quick:
        RESULTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
