"""The networks of docker-compose.yml, made of network namespaces, with a real gateway between them. Runs as a program.

    agents 10.77.1.2 ──veth── 10.77.1.1 gateway 10.77.2.1 ──veth── 10.77.2.2 internet

The namespace it starts in (`unshare -n`, or `unshare -Urn` when not root) becomes the gateway's; Postgres and OPA are reached by
Unix sockets, which network namespaces do not divide. The agent's default route points at the gateway, as a hostile agent would set
it, and the internet knows the way back: if the gateway forwarded packets, they would pass. Reads `Plan` as JSON on stdin; what an
agent got done goes to stdout as JSON.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.e2e.parts import Gateway, until

AGENT, GATEWAY_IN, GATEWAY_OUT, INTERNET = "10.77.1.2", "10.77.1.1", "10.77.2.1", "10.77.2.2"
PORT = 8443
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`environment` of the gateway; `proxy`: NAME:TOKEN of an agent; `sysctls` of the gateway's service in docker-compose.yml."""

    folder: str
    environment: dict[str, str]
    proxy: str
    ca_file: str
    upstream_ca_file: str
    certificate: str
    key: str
    allowed: str
    denied: str
    sysctls: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One curl from the agents' namespace. `exit`: curl's status; `reached`: the hosts that the internet has seen so far."""

    exit: int
    status: str
    body: str
    reached: list[str]


def main() -> None:
    plan = Plan(**json.load(sys.stdin))
    with holding("cat") as agents, serving(plan) as internet:
        wire("agents0", GATEWAY_IN, agents, AGENT)
        wire("inet0", GATEWAY_OUT, internet, INTERNET)
        sh("ip", "link", "set", "lo", "up")
        inside(agents, "ip", "route", "add", "default", "via", GATEWAY_IN)
        inside(internet, "ip", "route", "add", "default", "via", GATEWAY_OUT)
        for name, value in plan.sysctls.items():
            Path("/proc/sys", *name.split(".")).write_text(value)
        gateway = Gateway(
            "jailed", Path(plan.folder), plan.environment | {"AAF_PROXY_HOST": GATEWAY_IN, "AAF_INSECURE_LISTEN": "yes"}
        )
        gateway.start()
        try:
            until(gateway.ready, 60)
            json.dump({name: asdict(tried) for name, tried in attempts(plan, gateway, agents)}, sys.stdout)
        finally:
            gateway.stop()


def attempts(plan: Plan, gateway: Gateway, agents: int) -> Iterator[tuple[str, Tried]]:
    seen = Path(plan.folder) / "internet.log"
    proxy = ("--proxy", f"http://{plan.proxy}@{GATEWAY_IN}:{gateway.port}", "--cacert", plan.ca_file)
    direct = (
        "--cacert",
        plan.upstream_ca_file,
        "--resolve",
        f"{plan.allowed}:{PORT}:{INTERNET}",
        f"https://{plan.allowed}:{PORT}/direct",
    )

    def curl(*arguments: str) -> Tried:
        command = [
            "curl",
            "--silent",
            "--noproxy",
            "",
            "--connect-timeout",
            "3",
            "--max-time",
            "30",
            "-w",
            "\n%{http_code}",
            *arguments,
        ]
        done = inside(agents, *command, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return Tried(exit=done.returncode, status=status, body=body, reached=seen.read_text().split())

    yield "direct", curl(*direct)
    yield "admin", curl(f"http://{GATEWAY_IN}:{gateway.admin_port}/health/live")
    yield "denied", curl(*proxy, f"https://{plan.denied}/")
    yield "allowed", curl(*proxy, f"https://{plan.allowed}/")
    yield "nameless", curl("--proxy", f"http://{GATEWAY_IN}:{gateway.port}", "--cacert", plan.ca_file, f"https://{plan.allowed}/")
    # What the first attempt would have been without the sysctl: proof that the wires and routes are good.
    before = FORWARD.read_text()
    FORWARD.write_text("1")
    yield "direct if the gateway forwarded packets", curl(*direct)
    FORWARD.write_text(before)


def sh(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=check, capture_output=True, text=True)


def inside(pid: int, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return sh("nsenter", f"--net=/proc/{pid}/ns/net", *command, check=check)


@contextmanager
def holding(*command: str) -> Iterator[int]:
    """A process in a network namespace of its own; it ends when its stdin does."""
    process = subprocess.Popen(["unshare", "-n", *command], stdin=subprocess.PIPE, stdout=sys.stderr)
    try:
        mine = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != mine)
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(plan: Plan) -> Iterator[int]:
    """The internet: one HTTPS server that writes down what reaches it before it answers."""
    log = Path(plan.folder) / "internet.log"
    log.touch()
    with holding(sys.executable, "-m", "tests.e2e.jail", str(log), plan.certificate, plan.key) as pid:
        until(lambda: f":{PORT:04X} " in Path(f"/proc/{pid}/net/tcp").read_text())
        yield pid


def wire(name: str, here: str, pid: int, there: str) -> None:
    """A veth pair between this namespace and that of `pid`."""
    sh("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    sh("ip", "address", "add", f"{here}/24", "dev", name)
    sh("ip", "link", "set", name, "up")
    inside(pid, "ip", "address", "add", f"{there}/24", "dev", "eth0")
    inside(pid, "ip", "link", "set", "eth0", "up")
    inside(pid, "ip", "link", "set", "lo", "up")


def internet(log: Path, certificate: str, key: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with log.open("a") as stream:
                stream.write(f"{self.headers['Host']}{self.path}\n")
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"reached")

        def log_message(self, format: str, *arguments: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def missing() -> str | None:
    """Why namespaces cannot be had here, if they cannot."""
    for tool in ("unshare", "nsenter", "ip", "curl"):
        if subprocess.run(["which", tool], capture_output=True).returncode != 0:
            return f"{tool} is not installed"
    done = sh(*entry(), "sh", "-c", "ip link add x type veth peer name y && echo 0 > /proc/sys/net/ipv4/ip_forward", check=False)
    return None if done.returncode == 0 else f"`{' '.join(entry())}` gives no usable network namespace: {done.stderr.strip()}"


def entry() -> tuple[str, ...]:
    return ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-Urn")


def run(plan: Plan, path: str) -> Mapping[str, Tried]:
    """What an agent got done, by the name of each attempt."""
    done = subprocess.run(
        [*entry(), sys.executable, "-m", "tests.e2e.jail"],
        input=json.dumps(asdict(plan)), capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=180,
        env={"PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: Tried(**tried) for name, tried in json.loads(done.stdout).items()}


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else internet(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
