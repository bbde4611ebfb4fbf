"""What is measured: the whole system as `aaf up` ships it, with one gateway worker; and stock mitmdump."""

import asyncio
import contextlib
import datetime
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from benchmarks import cpu
from certs import ca

AGENTS = 50
RULES = 1000
ROOT = Path(__file__).parents[1]


@dataclass(slots=True)
class Target:
    """A proxy under load. `parts`: process ids by what they are."""

    name: str
    proxy_port: int
    ca_file: str
    credentials: list[str]
    parts: dict[str, list[int]] = field(default_factory=dict)


def make_pki(folder: Path) -> tuple[Path, Path, Path]:
    """CA, certificate and key of the destination at 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)
    authority = ca.create(now)
    key = ca.create(now).key
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    files = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    files[0].write_text(ca.certificate_pem(authority))
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[2].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@contextlib.contextmanager
def upstream(certificate: Path, key: Path) -> Iterator[dict[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream", str(certificate), str(key)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate()


def policy(ports: dict[str, int]) -> str:
    """A thousand rules: those of other hosts are looked past, one allows the load, one holds."""
    rules = [
        f"  - {{id: rule-{n}, effect: allow, hosts: [host{n}.example], methods: [GET, POST], reason: one of many}}"
        for n in range(RULES - 2)
    ]
    rules.append("  - {id: load, effect: allow, hosts: ['127.0.0.1'], methods: [GET, POST], paths: ['/items/**'], reason: load}")
    rules.append("  - {id: ask, effect: require_approval, hosts: ['127.0.0.1'], paths: ['/held/**'], reason: ask}")
    listed = "\n".join(rules)
    return f"""version: 1
default: deny
rules:
{listed}
destinations:
  ports: [{ports["https"]}, {ports["http"]}]
  allow_private: ["127.0.0.0/8"]
"""


@contextlib.contextmanager
def firewall(folder: Path, ca_file: Path, ports: dict[str, int]) -> Iterator[tuple[Target, Path]]:
    """`aaf up` as it ships, but for one worker, its policy, and where it trusts the destination. Yields the data directory too."""
    data = Path(tempfile.mkdtemp(prefix="aaf-bench-"))
    data.chmod(0o711)
    document = folder / "policy.yaml"
    document.write_text(policy(ports))
    ports_free = ("AAF_PROXY_PORT", "AAF_API_PORT", "AAF_GATEWAY_ADMIN_PORT", "AAF_WORKER_ADMIN_PORT")
    environment = os.environ | dict.fromkeys(ports_free, "0")
    environment |= {"AAF_DATA_DIR": str(data), "AAF_POLICY_FILE": str(document), "AAF_UPSTREAM_CA_FILE": str(ca_file)}
    environment |= {"AAF_GATEWAY_WORKERS": "1"}
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.app", "up", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit((folder / "up.log").read_text())
        ready = json.loads(line)
        credentials = [_agent(ready, f"agent-{n}") for n in range(AGENTS)]
        parts = _parts(process.pid)
        port = int(ready["proxy_url"].rpartition(":")[2])
        yield Target("firewall", port, ready["ca_file"], credentials, parts), data
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


def _parts(up: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"gateway": [], "opa": [], "postgres": [], "api": [], "rest": []}
    for child in cpu.tree(up)[1:]:
        command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if "postgres" in command.split(" ", 1)[0]:
            found["postgres"].append(child)
        elif "/opa" in command.split(" ", 1)[0]:
            found["opa"].append(child)
        elif "cli.app gateway" in command:
            found["rest"].append(child)
            found["gateway"] += cpu.tree(child)[1:]
        elif "cli.app api" in command:
            found["api"].append(child)
        else:
            found["rest"].append(child)
    return found


@contextlib.contextmanager
def mitmdump(folder: Path, ca_file: Path) -> Iterator[Target]:
    """Stock: `mitmdump -q`, told only which CA to trust and where to listen."""
    confdir = folder / "mitmproxy"
    program = Path(sys.executable).parent / "mitmdump"
    port = _free_port()
    options = ["--set", f"ssl_verify_upstream_trusted_ca={ca_file}", "--set", f"confdir={confdir}"]
    process = subprocess.Popen([program, "-q", "--listen-host", "127.0.0.1", "-p", str(port), *options])
    try:
        asyncio.run(_listening(port))
        yield Target(
            "mitmdump",
            port,
            str(confdir / "mitmproxy-ca-cert.pem"),
            [f"agent-{n}:x" for n in range(AGENTS)],
            {"gateway": [process.pid]},
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
