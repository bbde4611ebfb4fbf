"""Real clients, started as a user would (`aaf run -- COMMAND`), through the gateway to a real HTTPS destination."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import name_of
from tests.e2e.parts import ROOT, Agent, Parts, until
from tests.e2e.sites import MODULE, PACKAGE, git_site, index_site, npm_site
from tests.e2e.upstream import Seen, Upstream
from tests.e2e.wire import credential

pytestmark = pytest.mark.xdist_group("e2e-clients")

AAF = (sys.executable, "-c", "from cli.app import main; main()")
SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Runs commands as one agent, each in `home`; what they did is in `upstream` and in the chain."""

    parts: Parts
    upstream: Upstream
    agent: Agent
    home: Path

    def start(self, *command: str, **more: str) -> "subprocess.Popen[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "AAF_API_URL": self.parts.api.url,
            "AAF_API_KEY": self.parts.api.key,
            **more,
        }
        return subprocess.Popen(
            [*AAF, "run", "--agent", self.agent.name, "--", *command],
            cwd=self.home, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *command: str, status: int = 0, **more: str) -> str:
        """What the command printed; it must end with `status`."""
        with self.start(*command, **more) as process:
            output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == status, f"{command}: {process.returncode}\n{output}\n{errors}"
        return output

    def seen(self, host: str) -> list[Seen]:
        """What reached the destination from this test. No request ever carried what is between agent and gateway."""
        found = [seen for seen in self.upstream.log.requests if seen.headers["host"] == host]
        for seen in found:
            assert not [name for name in seen.headers if name.startswith(("proxy-", "x-aaf-"))], seen
            assert self.agent.token not in str(seen.headers)
        return found

    def history(self) -> list[tuple[str, str, str]]:
        """(method, effect, outcome) of each request, oldest first. An outcome follows its decision, and comes once."""
        made = []
        for entry in self.parts.decided(self.agent):
            outcome = "none"
            if entry["effect"] == "allow":
                after = self.parts.outcome(entry["action"])
                assert after["seq"] > entry["seq"]
                outcome = after["event"]
            made.append((entry["method"], entry["effect"], outcome))
        outcomes = [entry["action"] for entry in self.parts.entries("action.completed", "action.failed")]
        assert len(outcomes) == len(set(outcomes))
        return made


@pytest.fixture
def client(parts: Parts, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    upstream.log.requests.clear()
    yield Client(parts=parts, upstream=upstream, agent=parts.agent(name_of(request)), home=tmp_path)
    upstream.sites.clear()


def completed(method: str) -> tuple[str, str, str]:
    return method, "allow", "action.completed"


# --- curl -------------------------------------------------------------------------------------------------------------------


def test_curl_gets_what_is_allowed(client: Client) -> None:
    answer = client.run("curl", "-sS", "--fail", "https://open.test/hello?a=1")
    assert answer == "reached /hello?a=1"
    (seen,) = client.seen("open.test")
    assert (seen.method, seen.path, seen.body) == ("GET", "/hello?a=1", b"")
    assert client.history() == [completed("GET")]


def test_curl_shows_why_a_request_is_denied(client: Client) -> None:
    answer = client.run("curl", "-sS", "-i", "--suppress-connect-headers", "https://closed.test/hello")
    head, _, body = answer.partition("\n\n")
    problem = json.loads(body)
    assert "HTTP/1.1 403" in head
    assert problem["detail"] == "Nobody goes there"
    assert problem["rules"] == ["closed-for-good"]
    assert problem["action_id"].startswith("act_")
    assert client.seen("closed.test") == []
    (decided,) = client.parts.decided(client.agent)
    assert (decided["action"], decided["effect"], decided["rules"]) == (problem["action_id"], "deny", ["closed-for-good"])


def test_curl_waits_until_a_person_approves(client: Client) -> None:
    with client.start("curl", "-sS", "--fail", "--data-binary", "amount=5", "https://held.test/pay") as process:
        (approval,) = client.parts.pending(client.agent)
        assert client.seen("held.test") == []
        client.parts.api.approve(approval["id"], "go ahead")
        output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (0, "reached /pay"), errors
    (seen,) = client.seen("held.test")
    assert (seen.method, seen.path, seen.body) == ("POST", "/pay", b"amount=5")
    assert client.history() == [completed("POST")]
    events = [entry["event"] for entry in client.parts.entries() if entry.get("approval") == approval["id"]]
    assert events == ["approval.requested", "approval.voted", "approval.approved", "grant.spent", "action.decided"]


def test_curl_over_plain_http_is_judged_too(client: Client) -> None:
    assert client.run("curl", "-sS", "--fail", "http://open.test/plain") == "reached /plain"
    assert "Nobody goes there" in client.run("curl", "-sS", "http://closed.test/plain")
    assert [seen.path for seen in client.seen("open.test")] == ["/plain"]
    assert client.seen("closed.test") == []
    assert client.history() == [completed("GET"), ("GET", "deny", "none")]


def test_curl_uploads_a_stream_without_a_length(client: Client) -> None:
    file = client.home / "upload"
    file.write_bytes(os.urandom(3 << 20))
    client.run("curl", "-sS", "--fail", "-T", str(file), "-H", "Transfer-Encoding: chunked", "https://open.test/put")
    (seen,) = client.seen("open.test")
    assert seen.body == file.read_bytes()
    (decided,) = client.parts.decided(client.agent)
    assert client.parts.outcome(decided["action"])["request_bytes"] == 3 << 20


def test_curl_with_a_wrong_token_is_told_407(client: Client) -> None:
    wrong = f"http://{client.agent.name}:{'x' * 43}@127.0.0.1:{client.agent.port}"
    client.run("curl", "-sS", "--proxy", wrong, "https://open.test/", status=56)
    answer = client.run("curl", "-sS", "-i", "--proxy", wrong, "http://open.test/")
    assert answer.startswith("HTTP/1.1 407")
    assert client.seen("open.test") == []
    assert client.history() == []


# --- git --------------------------------------------------------------------------------------------------------------------


def git(*arguments: str, cwd: Path) -> str:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.invalid", "-c", "init.defaultBranch=main")
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *who, *arguments], cwd=cwd, env=environment, check=True, capture_output=True, text=True).stdout


def test_git_clones_and_pushes(client: Client) -> None:
    served = client.home / "served"
    bare = served / "project.git"
    bare.mkdir(parents=True)
    git("init", "--bare", cwd=bare)
    git("config", "http.receivepack", "true", cwd=bare)
    first = client.home / "first"
    first.mkdir()
    git("init", cwd=first)
    (first / "README").write_bytes(os.urandom(200_000))
    git("add", "README", cwd=first)
    git("commit", "-m", "one", cwd=first)
    git("push", str(bare), "main", cwd=first)
    client.upstream.sites["git.test"] = git_site(served)

    client.run("git", "clone", "-q", "https://git.test/project.git", "copy", GIT_CONFIG_NOSYSTEM="1")
    copy = client.home / "copy"
    assert (copy / "README").read_bytes() == (first / "README").read_bytes()
    # Larger than http.postBuffer, so that git sends it chunked.
    (copy / "more").write_bytes(os.urandom(2 << 20))
    git("add", "more", cwd=copy)
    git("commit", "-m", "two", cwd=copy)
    client.run("git", "-C", "copy", "push", "-q", "origin", "main", GIT_CONFIG_NOSYSTEM="1")
    assert git("rev-parse", "main", cwd=bare) == git("rev-parse", "HEAD", cwd=copy)

    paths = [seen.path for seen in client.seen("git.test")]
    assert "/project.git/git-upload-pack" in paths
    assert "/project.git/git-receive-pack" in paths
    assert any(seen.headers.get("transfer-encoding") == "chunked" for seen in client.seen("git.test"))
    history = client.history()
    assert len(history) == len(paths)
    assert {(effect, outcome) for _, effect, outcome in history} == {("allow", "action.completed")}


# --- package managers -------------------------------------------------------------------------------------------------------


def test_pip_installs_from_an_index(client: Client) -> None:
    client.upstream.sites["index.test"] = index_site()
    target = client.home / "target"
    client.run(
        sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--no-cache-dir",
        "--target", str(target),
        "--index-url", "https://index.test/simple/", PACKAGE,
    )  # fmt: skip
    assert (target / f"{MODULE}.py").read_text() == "ANSWER = 42\n"
    paths = [seen.path for seen in client.seen("index.test")]
    assert paths == [f"/simple/{PACKAGE}/", f"/files/{MODULE}-1.0-py3-none-any.whl"]
    assert client.history() == [completed("GET"), completed("GET")]


def test_npm_installs_from_a_registry(client: Client) -> None:
    client.upstream.sites["npm.test"] = npm_site("npm.test")
    (client.home / "package.json").write_text('{"name": "user", "version": "1.0.0"}')
    client.run(
        "npm", "install", "--registry", "https://npm.test/", "--no-audit", "--no-fund", "--no-update-notifier", PACKAGE,
        npm_config_cache=str(client.home / "cache"),
    )  # fmt: skip
    assert (client.home / "node_modules" / PACKAGE / "index.js").read_text() == "module.exports = 42;\n"
    paths = [seen.path for seen in client.seen("npm.test")]
    assert paths == [f"/{PACKAGE}", f"/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz"]
    assert client.history() == [completed("GET"), completed("GET")]


# --- libraries --------------------------------------------------------------------------------------------------------------

REQUESTS = """
import requests
with requests.Session() as session:
    first = session.get("https://open.test/one")
    second = session.post("https://open.test/two", json={"a": 1})
    denied = session.get("https://closed.test/three")
    print(first.status_code, first.text, second.status_code, denied.status_code, denied.json()["detail"], sep="|")
"""
HTTPX = REQUESTS.replace("import requests", "import httpx").replace("requests.Session()", "httpx.Client()")
AIOHTTP = """
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get("https://open.test/one") as first:
            text = await first.text()
        async with session.post("https://open.test/two", json={"a": 1}) as second:
            await second.read()
        async with session.get("https://closed.test/three") as denied:
            problem = await denied.json(content_type="application/problem+json")
    print(first.status, text, second.status, denied.status, problem["detail"], sep="|")
asyncio.run(main())
"""
FETCH = """
(async () => {
  const first = await fetch("https://open.test/one");
  const text = await first.text();
  const second = await fetch("https://open.test/two", {
    method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({a: 1}),
  });
  await second.text();
  const denied = await fetch("https://closed.test/three");
  const problem = await denied.json();
  console.log([first.status, text, second.status, denied.status, problem.detail].join("|"));
})().catch((error) => { console.error(error); process.exit(1); });
"""
COMMANDS = {
    "requests": (sys.executable, "-c", REQUESTS),
    "httpx": (sys.executable, "-c", HTTPX),
    "aiohttp": (sys.executable, "-c", AIOHTTP),
    "node-fetch": ("node", "-e", FETCH),
}


@pytest.mark.parametrize("library", COMMANDS)
def test_a_library_reads_writes_and_sees_why_it_is_denied(client: Client, library: str) -> None:
    output = client.run(*COMMANDS[library])
    assert output.strip() == "200|reached /one|200|403|Nobody goes there"
    one, two = client.seen("open.test")
    assert (one.method, one.path, two.method, two.path, json.loads(two.body)) == ("GET", "/one", "POST", "/two", {"a": 1})
    assert client.seen("closed.test") == []
    assert client.history() == [completed("GET"), completed("POST"), ("GET", "deny", "none")]


# --- long-lived answers -----------------------------------------------------------------------------------------------------


def test_websocket_messages_go_both_ways(client: Client) -> None:
    async def talk() -> list[Any]:
        proxy = f"http://127.0.0.1:{client.agent.port}"
        headers = {"Proxy-Authorization": credential(client.agent)}
        context = ssl.create_default_context(cafile=client.parts.ca_file)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect("https://open.test/ws", proxy=proxy, proxy_headers=headers, ssl=context) as socket,
        ):
            await socket.send_str("one")
            first = await socket.receive_str(timeout=20)
            await socket.send_bytes(b"\x00\xff" * 50_000)
            second = await socket.receive_bytes(timeout=20)
            assert client.parts.entries("action.completed") == before
            return [first, second]

    before = client.parts.entries("action.completed")
    first, second = asyncio.run(talk())
    assert (first, second) == ("echo one", b"\x00\xff" * 50_000)
    (seen,) = client.seen("open.test")
    assert seen.headers["upgrade"].lower() == "websocket"
    (decided,) = client.parts.decided(client.agent, effect="allow")
    outcome = client.parts.outcome(decided["action"])
    assert (outcome["event"], outcome["status"], outcome["request_bytes"]) == ("action.completed", 101, 100_003)


def test_server_sent_events_arrive_one_by_one(client: Client) -> None:
    with client.start("curl", "-sSN", "--fail", "https://open.test/events") as process:
        assert process.stdout is not None
        reader = Lines(process.stdout)
        for number in range(3):
            # The next event is not even sent before the client has shown the one before.
            client.upstream.step(f"event {number}")
            until(partial(reader.shows, f"data: event {number}\n"))
        (decided,) = client.parts.decided(client.agent)
        assert [entry for entry in client.parts.entries("action.completed") if entry["action"] == decided["action"]] == []
        client.upstream.step(None)
        assert process.wait(SECONDS) == 0
        reader.join()
    outcome = client.parts.outcome(decided["action"])
    assert (outcome["event"], outcome["response_bytes"]) == ("action.completed", 3 * len("data: event 0\n\n"))


class Lines:
    """What a stream printed so far."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(stream,))
        self._thread.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self.lines.append(line)

    def shows(self, line: str) -> bool:
        return line in self.lines

    def join(self) -> None:
        self._thread.join(20)
