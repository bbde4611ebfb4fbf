"""Vendors' own SDKs, started as a user would (`aaf run -- COMMAND`), through the gateway: each request is known by its name."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import name_of
from tests.e2e.parts import ROOT, Parts, free_port, until
from tests.e2e.pki import TestAuthority
from tests.e2e.sdk_sites import SITES
from tests.e2e.sites import PACKAGE, git_site, index_site, npm_site
from tests.e2e.test_clients import Client, git
from tests.e2e.upstream import LoopThread, Upstream

pytestmark = pytest.mark.xdist_group("e2e-sdks")

OTHERS = ("git.test", "index.test", "npm.test", "mcp.test")
POLICY = """
version: 1
default: deny
rules:
  - id: everything
    effect: allow
"""


@pytest.fixture(scope="module")
def upstream(loop_thread: LoopThread, authority: TestAuthority) -> Iterator[Upstream]:
    made = Upstream(loop_thread, authority.issue(*SITES, *OTHERS))
    made.start()
    made.sites.update(SITES)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def mcp_port(authority: TestAuthority) -> Iterator[int]:
    pair, port = authority.issue("mcp.test"), free_port()
    command = [sys.executable, "-m", "tests.e2e.mcp_server", str(port), str(pair.certificate), str(pair.key)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        until(lambda: _taken(port))
        yield port
        process.terminate()
        process.wait(20)


def _taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def parts(make_parts, upstream: Upstream, mcp_port: int) -> Parts:  # type: ignore[no-untyped-def]
    routing = f"mcp.test:443:127.0.0.1:{mcp_port},:443:127.0.0.1:{upstream.https_port},:80:127.0.0.1:{upstream.http_port}"
    made: Parts = make_parts(policy_text=POLICY, AAF_CONNECT_TO=routing)
    return made


@pytest.fixture
def client(parts: Parts, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest) -> Client:
    upstream.log.requests.clear()
    return Client(parts=parts, upstream=upstream, agent=parts.agent(name_of(request)), home=tmp_path)


def names(client: Client) -> list[str]:
    """What the agent did, by name, oldest first."""
    return [entry["name"] for entry in client.parts.decided(client.agent)]


def act(client: Client, sdk: str) -> list[str]:
    client.run(sys.executable, "-W", "ignore", "-m", "tests.e2e.sdk_calls", sdk)
    return names(client)


def test_github_by_pygithub(client: Client) -> None:
    assert act(client, "github") == ["github:repos/get", "github:issues/create", "github:repos/get-content", "github:repos/delete"]


def test_github_by_octokit(client: Client) -> None:
    folder = client.home / "octokit"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "user", "version": "1.0.0", "type": "module"}')
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    install = ["npm", "install", "--no-audit", "--no-fund", "@octokit/rest@22.0.1"]
    subprocess.run(install, cwd=folder, env=plain, check=True, capture_output=True, timeout=300)
    program = folder / "program.mjs"
    program.write_text((ROOT / "tests" / "e2e" / "octokit.mjs").read_text())
    client.run("node", str(program))
    assert names(client) == ["github:issues/create", "github:repos/get"]


def test_github_by_graphql(client: Client) -> None:
    assert act(client, "github_graphql") == ["github:query/viewer", "github:mutation/closeIssue"]


def test_aws_by_boto3(client: Client) -> None:
    assert act(client, "aws") == [
        "aws:s3:PutObject", "aws:s3:ListObjectsV2", "aws:s3:DeleteBucket", "aws:dynamodb:GetItem", "aws:ec2:TerminateInstances",
        "aws:iam:CreateAccessKey", "aws:sqs:SendMessage", "aws:lambda:Invoke",
    ]  # fmt: skip


def test_stripe(client: Client) -> None:
    assert act(client, "stripe") == ["stripe:GetCustomers", "stripe:PostRefunds"]


def test_slack(client: Client) -> None:
    assert act(client, "slack") == ["slack:conversations.list", "slack:chat.postMessage"]


def test_openai(client: Client) -> None:
    assert act(client, "openai") == ["openai:models.list", "openai:chat.completions.create", "openai:responses.create"]


def test_anthropic(client: Client) -> None:
    assert act(client, "anthropic") == ["anthropic:Messages.New", "anthropic:Messages.CountTokens"]


def test_google(client: Client) -> None:
    assert act(client, "google") == [
        "google:storage.objects.get", "google:storage.objects.delete", "google:sheets.spreadsheets.get",
    ]  # fmt: skip


def test_mcp_against_a_real_server(client: Client) -> None:
    assert client.run(sys.executable, "-W", "ignore", "-m", "tests.e2e.sdk_calls", "mcp") == "5\n"
    called = [name for name in names(client) if name != "mcp:GET stream"]  # which comes at its own time
    assert called == [
        "mcp:initialize", "mcp:notifications/initialized", "mcp:tools/list", "mcp:tools/call:add", "mcp:DELETE session",
    ]  # fmt: skip


def test_git(client: Client) -> None:
    bare = client.home / "served" / "project.git"
    bare.mkdir(parents=True)
    git("init", "--bare", cwd=bare)
    git("config", "http.receivepack", "true", cwd=bare)
    client.upstream.sites["git.test"] = git_site(client.home / "served")
    work = client.home / "work"
    work.mkdir()
    git("init", cwd=work)
    (work / "README").write_text("hello")
    git("add", "README", cwd=work)
    git("commit", "-m", "one", cwd=work)
    client.run("git", "-C", "work", "push", "-q", "https://git.test/project.git", "main", GIT_CONFIG_NOSYSTEM="1")
    client.run("git", "clone", "-q", "https://git.test/project.git", "copy", GIT_CONFIG_NOSYSTEM="1")
    assert set(names(client)) == {"git:push", "git:fetch"}


def test_pip(client: Client) -> None:
    client.upstream.sites["index.test"] = index_site()
    client.run(
        sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--no-cache-dir",
        "--target", str(client.home / "target"), "--index-url", "https://index.test/simple/", PACKAGE,
    )  # fmt: skip
    assert names(client) == ["pypi:simple", "pypi:download"]


def test_npm(client: Client) -> None:
    client.upstream.sites["npm.test"] = npm_site("npm.test")
    (client.home / "package.json").write_text('{"name": "user", "version": "1.0.0"}')
    client.run(
        "npm", "install", "--registry", "https://npm.test/", "--no-audit", "--no-fund", "--no-update-notifier", PACKAGE,
        npm_config_cache=str(client.home / "cache"),
    )  # fmt: skip
    assert names(client) == ["npm:metadata", "npm:download"]
