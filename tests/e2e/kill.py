"""SIGKILL of gateway workers under load, and whether anything left without its entry (issue: Done when 4).

    python -m tests.e2e.kill --kills 50 [--mutation append-after-release]

Each kill waits for at least 20 requests in flight, all of them with the destination, and 5 open grants, while identical
requests spend some of them; it comes from outside at a random instant, or inside a step of PATH, every step in turn. The
destination notes the identifier of each request before it answers. Afterwards: every identifier has its committed
`action.decided` with effect allow, the chain verifies, no approval was spent twice, and no grant let more than one request
through.
"""

import argparse
import asyncio
import base64
import os
import random
import signal
import ssl
import sys
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from addons import PATH
from firewall.audit.entry import commitment, open_parts
from firewall.backends.postgres.ledger import PARTS
from firewall.seal import Sealer
from tests.e2e.killable import FOLDER, MOMENTS, MUTATION, order, taken
from tests.e2e.parts import MASTER, Agent, Gateway, Parts
from tests.e2e.pki import Pair
from tests.gateway.rig import Wire, until

IN_FLIGHT = 20
OPEN_GRANTS = 5
LANES = 60
SPENDERS = 8
TWINS = 4
PREPARED = 12
ANSWER_SECONDS = (0.1, 0.4)
CLIENT_SECONDS = 15.0

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
"""
_NUMBERS = count()


class KillableGateway(Gateway):
    module = "tests.e2e.killable"
    worker = b"tests.e2e.killable"


@dataclass(slots=True)
class Destination:
    """Notes path and identifier of each request, then waits a little, then answers."""

    arrivals: list[tuple[str, str]] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    waiting: int = 0
    """How many requests are here now, not answered yet."""

    async def start(self, pair: Pair) -> list[asyncio.Server]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls) for tls in (context, None)]
        for port, server in zip((443, 80), servers, strict=True):
            self.ports[port] = server.sockets[0].getsockname()[1]
        return servers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                self.arrivals.append((first.split(" ")[1], fields["x-request-id"]))
                self.waiting += 1
                try:
                    await reader.readexactly(int(fields.get("content-length", 0)))
                    await asyncio.sleep(random.uniform(*ANSWER_SECONDS))
                finally:
                    self.waiting -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


class Load:
    """Requests without end: allowed ones on kept connections, and grants that identical requests race for."""

    def __init__(self, parts: Parts, agents: list[Agent]) -> None:
        self._parts = parts
        self._agents = agents
        self._port = parts.gateway.port
        self._tls = ssl.create_default_context(cafile=parts.ca_file)
        self._prepared: asyncio.Queue[tuple[Agent, str]] = asyncio.Queue(PREPARED)
        self._tasks: list[asyncio.Task[None]] = []
        self.stopping = False
        self.spending = 0
        self.answers: Counter[int] = Counter()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        work = [self._lane(number) for number in range(LANES)]
        work += [self._prepare(number) for number in range(SPENDERS // 2)]
        work += [self._spend() for _ in range(SPENDERS)]
        self._tasks = [loop.create_task(one) for one in work]

    async def stop(self) -> None:
        """Lets what is under way end."""
        self.stopping = True
        _, late = await asyncio.wait(self._tasks, timeout=CLIENT_SECONDS + 5)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _lane(self, number: int) -> None:
        agent, secure = self._agents[number % len(self._agents)], number % 2 == 0
        while not self.stopping:
            wire = await self._connect(agent, "open.test", secure)
            while wire is not None and not self.stopping:
                unique = f"a{next(_NUMBERS)}"
                if await self._ask(wire, agent, "GET", "open.test", f"/a/{unique}", unique, secure) is None:
                    break
            if wire is not None:
                await wire.close()

    async def _prepare(self, number: int) -> None:
        """A request that nobody waits for, approved: a grant."""
        agent = self._agents[number % len(self._agents)]
        while not self.stopping:
            path = f"/g/{next(_NUMBERS)}"
            asked = await self._once(agent, path)
            if asked is None or asked[0] != 503 or "approval_id" not in asked[1]:
                continue
            try:
                await asyncio.to_thread(self._parts.api.approve, asked[1]["approval_id"])
            except (urllib.error.URLError, OSError):
                continue
            while not self.stopping:
                try:
                    self._prepared.put_nowait((agent, path))
                    break
                except asyncio.QueueFull:
                    await asyncio.sleep(0.01)

    async def _spend(self) -> None:
        while not self.stopping:
            try:
                agent, path = await asyncio.wait_for(self._prepared.get(), 0.5)
            except TimeoutError:
                continue
            self.spending += 1
            try:
                await asyncio.gather(*(self._once(agent, path) for _ in range(TWINS)))
            finally:
                self.spending -= 1

    async def _once(self, agent: Agent, path: str) -> tuple[int, Any] | None:
        wire = await self._connect(agent, "held.test", False)
        if wire is None:
            return None
        try:
            return await self._ask(wire, agent, "POST", "held.test", path, f"g{next(_NUMBERS)}", False)
        finally:
            await wire.close()

    async def _connect(self, agent: Agent, host: str, secure: bool) -> Wire | None:
        wire: Wire | None = None
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                wire = Wire(*await asyncio.open_connection("127.0.0.1", self._port))
                if secure:
                    head = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{_credential(agent)}\r\n"
                    if (await wire.ask(head.encode(), head_only=True)).status != 200:
                        await wire.close()
                        return None
                    await wire.writer.start_tls(self._tls, server_hostname=host)
                return wire
        except (OSError, EOFError, TimeoutError, ssl.SSLError):
            if wire is not None:
                await wire.close()
            await asyncio.sleep(0.02)  # a worker has just died: others take the next one
            return None

    async def _ask(
        self, wire: Wire, agent: Agent, method: str, host: str, path: str, unique: str, secure: bool
    ) -> tuple[int, Any] | None:
        target, credential = (path, "") if secure else (f"http://{host}{path}", _credential(agent))
        fields = f"Host: {host}\r\nX-Request-Id: {unique}\r\nPrefer: wait=0\r\n{credential}"
        fields += "Content-Length: 4\r\n\r\nbody" if method == "POST" else "\r\n"
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                answer = await wire.ask(f"{method} {target} HTTP/1.1\r\n{fields}".encode())
        except (OSError, EOFError, TimeoutError, ssl.SSLError):
            self.answers[0] += 1
            return None
        self.answers[answer.status] += 1
        ours = answer.headers.get("content-type") == "application/problem+json"
        return answer.status, answer.json() if ours else None


def _credential(agent: Agent) -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{agent.name}:{agent.token}".encode()).decode() + "\r\n"


@dataclass(slots=True, kw_only=True)
class Report:
    kills: Counter[str]
    arrivals: int
    answers: Counter[int]
    entries: int
    spent: int
    faults: list[str]


def plan(kills: int) -> Iterator[tuple[str, str] | None]:
    """Where each kill comes from: every step of PATH in turn, each time at another moment of it, and every fourth from outside."""
    inside = 0
    for number in range(kills):
        if number % 4 == 3:
            yield None
        else:
            step = PATH[inside % len(PATH)].name
            yield step, MOMENTS[(inside + inside // len(PATH)) % len(MOMENTS)]
            inside += 1


async def run(parts: Parts, destination: Destination, folder: Path, kills: int) -> Report:
    """`parts`: with a killable gateway, started."""
    agents = [await asyncio.to_thread(parts.agent, f"agent-{number}") for number in range(5)]
    load, killed = Load(parts, agents), Counter[str]()
    load.start()
    for where in plan(kills):
        await ripe(parts, load, destination)
        killed[await kill(parts, folder, where)] += 1
    await ripe(parts, load, destination)  # and the last one was survived, too
    await load.stop()
    await asyncio.to_thread(parts.gateway.stop)
    faults = await asyncio.to_thread(check, parts, destination.arrivals)
    entries, spent = await asyncio.to_thread(_counts, parts)
    return Report(
        kills=killed, arrivals=len(destination.arrivals), answers=load.answers, entries=entries, spent=spent, faults=faults
    )


def _counts(parts: Parts) -> tuple[int, int]:
    (row,) = parts.sql("select count(*) as entries, count(*) filter (where event = 'grant.spent') as spent from aaf.audit_log")
    return int(row["entries"]), int(row["spent"])


async def ripe(parts: Parts, load: Load, destination: Destination) -> None:
    """Waits for enough requests in flight and enough open grants, some of them being spent, at the same time."""
    async with asyncio.timeout(120):
        while True:
            await until(lambda: destination.waiting >= IN_FLIGHT and load.spending > 0, 120)
            rows = await asyncio.to_thread(
                parts.sql, "select count(*) from aaf.approvals where state = 'approved' and grant_until > clock_timestamp()"
            )
            if rows[0][0] >= OPEN_GRANTS and destination.waiting >= IN_FLIGHT and load.spending > 0:
                return


async def kill(parts: Parts, folder: Path, where: tuple[str, str] | None) -> str:
    """Kills one worker, and waits until it is gone."""
    if where is None:
        await until(lambda: bool(parts.gateway.workers()), 60)  # the one that was killed last may have been the only one
        pid = random.choice(parts.gateway.workers())
        await asyncio.sleep(random.random() * 0.05)  # the instant is the point: any will do
        os.kill(pid, signal.SIGKILL)
        name = "outside"
    else:
        (folder / "taken").unlink(missing_ok=True)
        order(folder, *where)
        await until(lambda: taken(folder) is not None, 60)
        pid, name = taken(folder) or 0, where[0]
    await until(lambda: pid not in parts.gateway.workers(), 60)
    return name


def check(parts: Parts, arrivals: list[tuple[str, str]]) -> list[str]:
    """What is wrong, in words; nothing when all is well."""
    faults = [] if (fault := parts.verify()) is None else [f"the chain: entry {fault.seq}: {fault.reason}"]
    allowed, spent = Counter[str](), Counter[str]()
    sealer = Sealer(MASTER)
    rows = parts.sql(
        "select l.event, l.body, p.sealed from aaf.audit_log l left join aaf.audit_parts p using (seq)"
        " where l.event in ('action.decided', 'grant.spent') order by seq"
    )
    decided = Counter[str]()
    for row in rows:
        entry = orjson.loads(row["body"])
        if row["event"] == "grant.spent":
            spent[entry["approval"]] += 1
            continue
        decided[entry["action"]] += 1
        if entry["effect"] == "allow":
            salt, path = open_parts(sealer.open(PARTS, entry["salt"], row["sealed"]))["path"]
            if commitment("path", salt, path) != entry["parts"]["path"]:
                faults.append(f"the path of {entry['action']} is not the one that its entry commits to")
            allowed[path.decode()] += 1
    reached = Counter(path for path, _ in arrivals)
    faults += [
        f"{path} reached the destination {n} times, and was allowed {allowed[path]} times"
        for path, n in reached.items()
        if n > allowed[path]
    ]
    faults += [f"the grant of {path} let {n} requests through" for path, n in reached.items() if path.startswith("/g/") and n > 1]
    faults += [f"{unique} reached the destination {n} times" for unique, n in Counter(u for _, u in arrivals).items() if n > 1]
    faults += [f"{approval} was spent {n} times" for approval, n in spent.items() if n > 1]
    faults += [f"{action} was decided {n} times" for action, n in decided.items() if n > 1]
    return faults


@contextmanager
def killable(parts: Parts, folder: Path, mutation: str = "") -> Iterator[None]:
    """Puts a killable gateway in the place of the ordinary one."""
    old = parts.gateway
    environment = old.environment | {FOLDER: str(folder), **({MUTATION: mutation} if mutation else {})}
    parts.gateway = KillableGateway("killable", parts.folder, environment)
    parts.gateways.append(parts.gateway)
    yield


def main() -> int:
    """Without pytest: a system of its own, the kills, and what was found."""
    import tempfile

    from tests.conftest import start_server
    from tests.e2e.pki import TestAuthority

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mutation", default="", choices=["", "append-after-release"])
    parser.add_argument("--opa", type=Path, default=Path(os.environ.get("OPA_BIN", ".tools/opa")))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aaf-kill-")))
        servers = start_server()
        server = next(servers)
        stack.callback(lambda: next(servers, None))
        database = asyncio.run(server.create())
        pair_folder = folder / "pki"
        pair_folder.mkdir()
        authority = TestAuthority(pair_folder)
        report = asyncio.run(
            whole(database, options.opa.resolve(), authority, folder, options.kills, options.workers, options.mutation)
        )
    print(f"kills       {sum(report.kills.values())}: " + ", ".join(f"{name} {n}" for name, n in sorted(report.kills.items())))
    print("answers     " + ", ".join(f"{status or 'cut'} {n}" for status, n in sorted(report.answers.items())))
    print(f"arrivals    {report.arrivals}, entries {report.entries}, grants spent {report.spent}")
    for fault in report.faults[:20]:
        print(f"FAULT       {fault}")
    print("all is well" if not report.faults else f"{len(report.faults)} faults")
    return 1 if report.faults else 0


async def whole(database: Any, opa: Path, authority: Any, folder: Path, kills: int, workers: int, mutation: str) -> Report:
    """Starts everything, runs the kills, and stops it."""
    destination = Destination()
    servers = await destination.start(authority.issue("open.test", "held.test"))
    settings = {
        "AAF_CONNECT_TO": f":443:127.0.0.1:{destination.ports[443]},:80:127.0.0.1:{destination.ports[80]}",
        "AAF_UPSTREAM_CA_FILE": str(authority.file),
        "AAF_GATEWAY_WORKERS": str(workers),
    }
    parts = Parts(database, opa, policy_text=POLICY, settings=settings)
    try:
        with killable(parts, folder, mutation):
            await asyncio.to_thread(parts.start)
            return await run(parts, destination, folder, kills)
    finally:
        await asyncio.to_thread(parts.close)
        for server in servers:
            server.close()


if __name__ == "__main__":
    sys.exit(main())
