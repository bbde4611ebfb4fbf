"""Runs the suites through a gateway as it ships, and says how many cases of each passed.

    python -m tests.conformance [h2spec] [autobahn] [grpc] [--keep FOLDER]

`--keep` leaves the suites' own reports and the logs of all processes there. Exits 1 when a case failed, or one was not run.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conformance import autobahn, grpc, h2spec
from tests.conformance.suite import DESTINATIONS, Result, Scene, Suite
from tests.conftest import start_server
from tests.e2e.parts import ROOT, Parts, free_port
from tests.e2e.pki import TestAuthority

SUITES: dict[str, tuple[Suite, int]] = {
    "h2spec": (h2spec.run, 145),
    "autobahn": (autobahn.run, 494),
    "grpc": (grpc.run, 14),
}
"""Each with the number of cases that have to pass."""

POLICY = """
version: 1
default: deny
destinations:
  ports: {ports}
rules:
  - id: all
    effect: allow
    hosts: [localhost, "*.test"]
"""


@contextmanager
def running(folder: Path, tools: Path, opa: Path) -> Iterator[Scene]:
    """The whole system, and the ways through it."""
    with ExitStack() as stack:
        servers = start_server()
        server = next(servers)
        stack.callback(lambda: next(servers, None))
        authority = TestAuthority(folder)
        ports = {name: free_port() for name in DESTINATIONS}
        tunnels = {name: free_port() for name in DESTINATIONS}
        routes = [f"{name}.test:{port}:127.0.0.1:{port}" for name, port in ports.items()]
        routes += [f"localhost:{port}:127.0.0.1:{ports[name]}" for name, port in tunnels.items()]
        settings = {"AAF_CONNECT_TO": ",".join(routes), "AAF_UPSTREAM_CA_FILE": str(authority.file)}
        policy_text = POLICY.format(ports=[*ports.values(), *tunnels.values()])
        parts = Parts(asyncio.run(server.create()), opa, policy_text=policy_text, settings=settings)
        stack.callback(parts.close)
        parts.start()
        try:
            yield Scene(
                tools=tools, folder=folder, agent=parts.agent("conformance"), ca_file=parts.ca_file,
                pair=authority.issue("localhost", *(f"{name}.test" for name in DESTINATIONS)), ports=ports, tunnels=tunnels,
            )  # fmt: skip
        finally:
            for name, text in parts.logs():
                (folder / name).write_text(text)


def report(name: str, result: Result, wanted: int) -> bool:
    print(f"{name} {result.passed} of {wanted}", flush=True)
    for failed in result.failed:
        print(f"    {failed}")
    return result.passed >= wanted and not result.failed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], default=[], metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--keep", type=Path, help="a folder for reports and logs, kept afterwards")
    parser.add_argument("--opa", type=Path, default=Path(os.environ.get("OPA_BIN", ".tools/opa")))
    options = parser.parse_args()
    tools = Path(subprocess.run([ROOT / "tools" / "conformance.sh"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aaf-conformance-")))
        folder.mkdir(parents=True, exist_ok=True)
        scene = stack.enter_context(running(folder.resolve(), tools, options.opa.resolve()))
        good = [report(name, asyncio.run(SUITES[name][0](scene)), SUITES[name][1]) for name in options.suites or SUITES]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
