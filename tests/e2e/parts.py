"""The real processes, as subprocesses of a test: control API, OPA, gateway with its workers, on a database of the test's own.
Each part starts and stops by itself, so that a test can take any of them away."""

import base64
import hashlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from firewall import policy
from firewall.audit.chain import Fault, Row, Verifier
from firewall.audit.entry import Event
from firewall.audit.events import key_event, policy_activated
from firewall.backends.embedded.opa import EmbeddedOpa
from firewall.backends.postgres.store import Store
from firewall.ids import new_id, to_uuid
from firewall.ports import ActivatePolicy, CreateKey, Item, Lost
from firewall.seal import Sealer
from tests.conftest import CACHE, Database
from tests.e2e.upstream import LoopThread

ROOT = Path(__file__).parents[2]
MASTER = bytes(32)
START_SECONDS = 60.0
STOP_SECONDS = 45.0

_PART = """
import sys
from {module} import main
from firewall.backends.logs import configure_logs
from firewall.settings import load
configure_logs()
sys.exit(main(load(), lifeline=int(sys.argv[1]), ready=int(sys.argv[2])))
"""


def until[T](fact: Callable[[], T], seconds: float = 20.0) -> T:
    """Waits for a condition, and gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come true within {seconds:g} s")
        time.sleep(0.01)


def free_port() -> int:
    """A port below those that the kernel hands to outgoing connections, so that none takes it before its server does."""
    while True:
        port = random.randrange(10_000, 32_000)
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxy the environment of the tests names, their own questions go straight to the parts."""


class Process:
    """One part: `module`'s `main`, with its output in `folder`. Ends when the test's process does."""

    def __init__(self, name: str, module: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = dict(environment)
        self.log_file = folder / f"{name}.log"
        self._program = _PART.format(module=module)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self) -> dict[str, Any]:
        """Blocks until the part says that it is ready; returns what it said."""
        assert not self.running, f"{self.name} runs already"
        lifeline, self._lifeline = os.pipe()
        reading, ready = os.pipe()
        try:
            with self.log_file.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", self._program, str(lifeline), str(ready)],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT, env=self.environment,
                    pass_fds=(lifeline, ready), start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(lifeline)
            os.close(ready)
        with os.fdopen(reading, "rb") as pipe:
            if select.select([pipe], [], [], START_SECONDS)[0] and (line := pipe.readline()):
                said: dict[str, Any] = json.loads(line)
                return said
        raise AssertionError(f"{self.name} did not become ready:\n{self.log()[-4000:]}")

    def stop(self) -> int:
        """SIGTERM: it drains. Returns its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            raise AssertionError(f"{self.name} did not stop:\n{self.log()[-4000:]}") from None
        finally:
            self._process = None
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
        return status


class Gateway(Process):
    """`module` is its supervisor's, `worker` names its workers' processes."""

    module = "gateway.main"
    worker = b"gateway.worker"

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.port, self.admin_port = free_port(), free_port()
        ports = {"AAF_PROXY_PORT": str(self.port), "AAF_GATEWAY_ADMIN_PORT": str(self.admin_port)}
        super().__init__(name, self.module, folder, {**environment, **ports})

    def workers(self) -> list[int]:
        """Process identifiers of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if self._works(pid)]

    def crash(self) -> None:
        """As a machine that loses its power: nobody drains, not even the workers."""
        workers = self.workers()
        for pid in [self.pid, *workers]:
            os.kill(pid, signal.SIGKILL)
        self.kill()
        until(lambda: not any(self._works(str(pid)) for pid in workers))

    def _works(self, pid: str) -> bool:
        try:
            return self.worker in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return False

    def ready(self) -> dict[str, Any] | None:
        """What `/health/ready` says, when it says that all is well."""
        try:
            with _DIRECT.open(f"http://127.0.0.1:{self.admin_port}/health/ready", timeout=10) as answer:
                body: dict[str, Any] = json.load(answer)
                return body
        except (urllib.error.URLError, OSError):
            return None

    def metrics(self) -> str:
        with _DIRECT.open(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent's credential. `port`: of the gateway that it uses unless told otherwise."""

    id: str
    name: str
    token: str
    port: int

    @property
    def proxy_url(self) -> str:
        return self.at(self.port)

    def at(self, port: int) -> str:
        return f"http://{self.name}:{self.token}@127.0.0.1:{port}"


class Refusal(Exception):
    """What the control API answered from 400 on."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class Api:
    """A small client of the control API with an administrator's key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer below 400. Raises Refusal."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise Refusal(error.code, json.load(error)) from None

    def approvals(self, status: str = "") -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.call("GET", f"/v1/approvals?limit=1000{f'&status={status}' if status else ''}")["data"]
        return found

    def approve(self, approval_id: str, comment: str = "") -> Any:
        return self.call("POST", f"/v1/approvals/{approval_id}/approve", {"comment": comment})

    def deny(self, approval_id: str, reason: str = "") -> Any:
        return self.call("POST", f"/v1/approvals/{approval_id}/deny", {"reason": reason})

    def disable(self, agent: Agent) -> Any:
        return self.call("POST", f"/v1/agents/{agent.id}/disable", {})

    def rotate(self, agent: Agent) -> Any:
        return self.call("POST", f"/v1/agents/{agent.id}/rotate", {})


class Parts:
    """`settings`: environment of every process. Nothing runs until `start`."""

    def __init__(self, database: Database, opa: Path, *, policy_text: str, settings: Mapping[str, str]) -> None:
        self.database = database
        self.folder = Path(tempfile.mkdtemp(prefix="aaf-parts-"))
        self.folder.chmod(0o711)
        self.policy_file = self.folder / "policy.yaml"
        self.policy_file.write_text(policy_text)
        self.ca_file = self.folder / "ca.pem"
        self._thread = LoopThread()
        self._sealer = Sealer(MASTER)
        api_port, key = free_port(), "k" * 43
        self.api = Api(f"http://127.0.0.1:{api_port}", key)
        token = base64.urlsafe_b64encode(self._sealer.derive("aaf/bundle-token/v1")).rstrip(b"=").decode()
        self.opa = EmbeddedOpa(self.folder, program=opa, bundles_url=self.api.url, bundle_token=token)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "ENCRYPTION_MASTER_KEY": base64.b64encode(MASTER).decode(),
            "DATABASE_URL": database.app_dsn,
            "OPA_URL": self.opa.url,
            "AAF_CACHE_DIR": str(CACHE),
            "AAF_API_PORT": str(api_port),
            "AAF_POLICY_FILE": str(self.policy_file),
            "AAF_GATEWAY_WORKERS": "1",
            "AAF_DRAIN_SECONDS": "5",
            **settings,
        }
        self.gateways: list[Gateway] = []
        self.gateway = self.another_gateway()
        self.api_process = Process(
            "api", "control_api.main", self.folder, self.environment | {"AAF_PROXY_PORT": str(self.gateway.port)}
        )

    # --- parts ----------------------------------------------------------------------------------------------------------

    def another_gateway(self, **settings: str) -> Gateway:
        """A further gateway on the same database, not started."""
        gateway = Gateway(f"gateway-{len(self.gateways) + 1}", self.folder, self.environment | settings)
        self.gateways.append(gateway)
        return gateway

    def start(self) -> None:
        """Starts everything, and waits until the gateway has all that it needs."""
        self._thread.run(self._create_key())
        self.api_process.start()
        self.opa.start()
        self.gateway.start()
        until(self.gateway.ready, START_SECONDS)
        with _DIRECT.open(self.api.url + "/v1/ca.pem", timeout=10) as answer:
            self.ca_file.write_bytes(answer.read())

    def close(self) -> None:
        """May be called twice."""
        if not self.folder.exists():
            return
        for process in (*self.gateways, self.api_process):
            process.stop()
        self.opa.stop()
        self._thread.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self) -> list[tuple[str, str]]:
        files = [*sorted(self.folder.glob("*.log")), self.folder / "opa" / "opa.log"]
        return [(file.name, file.read_text(errors="replace")[-8000:]) for file in files if file.exists()]

    # --- what tests ask -------------------------------------------------------------------------------------------------

    def agent(self, name: str, **more: Any) -> Agent:
        made = self.api.call("POST", "/v1/agents", {"name": name, **more})
        return Agent(id=made["id"], name=name, token=made["token"], port=self.gateway.port)

    def sql(self, text: str, *arguments: Any) -> list[Any]:
        """As the database's superuser: what the processes' own role may never do."""
        rows: list[Any] = self._thread.run(self._fetch(text, arguments))
        return rows

    def entries(self, *events: str) -> list[dict[str, Any]]:
        """Every entry of the chain, or those of some types, oldest first."""
        rows = self.sql("select seq, body from aaf.audit_log order by seq")
        found = [{"seq": row["seq"], **json.loads(row["body"])} for row in rows]
        return [entry for entry in found if not events or entry["event"] in events]

    def decided(self, agent: Agent | None = None, **fields: Any) -> list[dict[str, Any]]:
        """`action.decided` entries, of one agent and with these fields, oldest first."""
        wanted = fields if agent is None else {"agent": agent.id, **fields}
        return [
            entry for entry in self.entries("action.decided") if all(entry.get(name) == value for name, value in wanted.items())
        ]

    def verify(self) -> Fault | None:
        """Walks the chain, as `aaf audit verify` does. The first thing that is wrong, if anything is."""
        (head,) = self.sql("select origin, size, last_leaf from aaf.audit_head")
        verifier = Verifier(head["origin"])
        for row in self.sql("select seq, event_hash, leaf_hash, body from aaf.audit_log order by seq"):
            fault = verifier.feed(Row(**row))
            if fault is not None:
                return fault
        return verifier.finish(head["size"], head["last_leaf"])

    def outcome(self, action_id: str) -> dict[str, Any]:
        """Waits for the `action.completed` or `action.failed` of an action."""

        def find() -> dict[str, Any] | None:
            found = self.entries("action.completed", "action.failed")
            return next((entry for entry in found if entry["action"] == action_id), None)

        found = until(find)
        assert found is not None
        return found

    def pending(self, agent: Agent, count: int = 1) -> list[dict[str, Any]]:
        """Waits until this agent has `count` pending approvals, and gives them, newest first."""

        def find() -> list[dict[str, Any]]:
            return [approval for approval in self.api.approvals("pending") if approval["agent_id"] == agent.id]

        return until(lambda: found if len(found := find()) == count else [])

    def waiters(self, agent: Agent) -> int:
        """How many requests of this agent are held now; -1 while one of them waits for an approval that is decided already."""
        waiting = """
            select coalesce(sum(case when a.state = 'pending' then 1 else -1000000 end), 0)
            from aaf.approval_waiters w join aaf.approvals a on a.id = w.approval_id where w.agent_id = $1
        """
        return max(-1, int(self.sql(waiting, to_uuid(agent.id))[0][0]))

    def activate(self, policy_text: str) -> str:
        """Makes another policy the active one, as the API's ledger does. Returns its revision."""
        compiled = policy.compile_policy(policy.load(policy_text), policy.modules())
        change = ActivatePolicy(revision=compiled.revision, document=policy_text, data=compiled.data, author="test")
        self._thread.run(self._append(Item(drafts=(policy_activated(compiled.revision, "test"),), change=change)))
        return compiled.revision

    async def _fetch(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        connection = await asyncpg.connect(self.database.super_dsn)
        try:
            return list(await connection.fetch(text, *arguments))
        finally:
            await connection.close()

    async def _create_key(self) -> None:
        key_id = new_id("key", time.time_ns() // 1_000_000)
        change = CreateKey(key_id=key_id, name="ann", role="admin", key_hash=hashlib.sha256(self.api.key.encode()).digest())
        await self._append(Item(drafts=(key_event(Event.KEY_CREATED, key_id, name="ann", role="admin", by="test"),), change=change))

    async def _append(self, item: Item) -> None:
        store = await Store.connect(self.database.app_dsn, sealer=self._sealer, process="api")
        try:
            assert not isinstance(await store.ledger.append(item), Lost)
        finally:
            await store.close()
