"""What is measured: the whole system as `aaf up` ships it, with one gateway worker; and stock mitmdump."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.place import Place
from benchmarks.rules import document

AGENTS = 50
ROOT = Path(__file__).parents[1]

_OURS = ("AAF_", "DATABASE_", "ENCRYPTION_", "REDIS_", "OPA_URL")
_ANY_PORT = dict.fromkeys(("AAF_PROXY_PORT", "AAF_API_PORT", "AAF_GATEWAY_ADMIN_PORT", "AAF_WORKER_ADMIN_PORT"), "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A proxy under load. `parts`: process ids by what they are; of `postgres` the first, whose children come and go."""

    name: str
    proxy_port: int
    ca_file: str
    credentials: list[str]
    parts: dict[str, list[int]]

    def cpu(self) -> dict[str, int]:
        """µs of CPU used so far, by part."""
        found = {}
        for part, pids in self.parts.items():
            below = [child for pid in pids for child in cpu.children(pid)] if part == "postgres" else []
            found[part] = cpu.used([*pids, *below])
        return found

    def resident(self) -> int:
        """Bytes of memory of the gateway worker, or of mitmdump."""
        return sum(cpu.resident(pid) for pid in self.parts["gateway"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the bench reads the log and votes, beside the API. `dsn`: the application's own role, which can append and read."""

    dsn: str
    master_key: str


def environment(given: Mapping[str, str], data: Path, policy: Path, ca_file: Path, workers: int = 1) -> dict[str, str]:
    """As `aaf up` finds it on a machine with none of its settings, but for the number of workers, free ports, the policy and the
    destination's CA."""
    clean = {name: value for name, value in given.items() if not name.startswith(_OURS)}
    ours = {"AAF_DATA_DIR": str(data), "AAF_POLICY_FILE": str(policy), "AAF_UPSTREAM_CA_FILE": str(ca_file)}
    return clean | _ANY_PORT | ours | {"AAF_GATEWAY_WORKERS": str(workers)}


@contextlib.contextmanager
def firewall(folder: Path, place: Place, *, workers: int = 1) -> Iterator[tuple[Target, Access]]:
    """`aaf up`, new and empty."""
    data = Path(tempfile.mkdtemp(prefix="aaf-bench-"))
    data.chmod(0o711)  # as root the database runs as another user, who must get through
    policy = folder / "policy.yaml"
    policy.write_text(document(place.host, (place.https, place.http, place.http2)))
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.app", "up", "--json"],
            env=environment(os.environ, data, policy, place.ca_file, workers),
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit((folder / "up.log").read_text())
        ready = json.loads(line)
        target = Target(
            name="firewall",
            proxy_port=int(ready["proxy_url"].rpartition(":")[2]),
            ca_file=ready["ca_file"],
            credentials=[_agent(ready, f"agent-{n}") for n in range(AGENTS)],
            parts=_parts(process.pid, workers),
        )
        dsn = json.loads((data / "database.json").read_text())["app_dsn"]
        yield target, Access(dsn=dsn, master_key=(data / "master.key").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
        shutil.rmtree(data, ignore_errors=True)


def _agent(ready: dict[str, Any], name: str) -> str:
    request = urllib.request.Request(
        ready["api_url"] + "/v1/agents",
        data=json.dumps({"name": name}).encode(),
        headers={"Authorization": f"Bearer {ready['admin_key']}", "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return f"{name}:{json.loads(answer.read())['token']}"


def part(command: list[str]) -> str:
    """Which part of the system a process that `aaf up` started is, by its command line."""
    program = Path(command[0]).name if command else ""
    if program.startswith("postgres"):
        return "postgres"
    if program == "opa":
        return "opa"
    if "gateway.worker" in command:
        return "gateway"
    return "beside"  # `aaf up` itself, the gateway's supervisor, the API and the worker


def _parts(up: int, workers: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"gateway": [], "opa": [], "postgres": [], "beside": [up]}
    for child in cpu.children(up):
        command = _command(child)
        found[part(command)].append(child)
        if "gateway" in command:
            found["gateway"] += [worker for worker in cpu.children(child) if part(_command(worker)) == "gateway"]
    if [len(found[name]) for name in ("gateway", "opa", "postgres")] != [workers, 1, 1]:
        raise SystemExit(f"`aaf up` runs other processes than the bench knows: {found}")
    return found


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")


@contextlib.contextmanager
def mitmdump(folder: Path, ca_file: Path) -> Iterator[Target]:
    """Stock: `mitmdump -q`, told only which CA to trust and where to listen and keep its files."""
    confdir = folder / "mitmproxy"
    program = Path(sys.executable).parent / "mitmdump"
    port = _free_port()
    options = ["--set", f"ssl_verify_upstream_trusted_ca={ca_file}", "--set", f"confdir={confdir}"]
    process = subprocess.Popen([program, "-q", "--listen-host", "127.0.0.1", "-p", str(port), *options])
    try:
        asyncio.run(_listening(port))
        yield Target(
            name="mitmdump",
            proxy_port=port,
            ca_file=str(confdir / "mitmproxy-ca-cert.pem"),
            credentials=[f"agent-{n}:x" for n in range(AGENTS)],  # as many clients; it asks for no credential
            parts={"gateway": [process.pid]},
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _listening(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
