"""The whole system for a module's tests, a destination for it, and what its processes logged when a test fails."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database, PostgresServer
from tests.e2e.parts import Parts
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import LoopThread, Upstream

HOSTS = (
    "open.test", "held.test", "brief.test", "strict.test", "agreed.test", "git.test", "index.test", "npm.test", "other.test",
    "closed.test",
)  # fmt: skip

POLICY = """
version: 1
default: deny
rules:
  - id: open
    effect: allow
    hosts: [open.test, git.test, index.test, npm.test]
    reason: Open to everyone
  - id: other-reads
    effect: allow
    hosts: [other.test]
    methods: [GET, HEAD]
  - id: held
    effect: require_approval
    hosts: [held.test]
    reason: Ask a person
  - id: brief
    effect: require_approval
    hosts: [brief.test]
    approval: {expires_in: 3s, grant_for: 3s}
  - id: closed-for-good
    effect: deny
    hosts: [closed.test]
    reason: Nobody goes there
"""

PartsFactory = Callable[..., Parts]


@pytest.fixture
def own_database(postgres_server: PostgresServer) -> Iterator[Database]:
    made = asyncio.run(postgres_server.create())
    yield made
    asyncio.run(postgres_server.drop(made))


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def upstream(loop_thread: LoopThread, authority: TestAuthority) -> Iterator[Upstream]:
    """Serves every host of `HOSTS`, with TLS and without."""
    made = Upstream(loop_thread, authority.issue(*HOSTS))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def make_parts(
    postgres_server: PostgresServer, opa_binary: Path, authority: TestAuthority, upstream: Upstream
) -> Iterator[PartsFactory]:
    """Builds `Parts` on a database of their own, or on `database`. Hosts lead to `upstream` unless `settings` say otherwise."""
    with ExitStack() as stack:

        def make(*, policy_text: str = POLICY, start: bool = True, database: Database | None = None, **settings: str) -> Parts:
            if database is None:
                own = database = asyncio.run(postgres_server.create())
                stack.callback(lambda: asyncio.run(postgres_server.drop(own)))
            routing = f":443:127.0.0.1:{upstream.https_port},:80:127.0.0.1:{upstream.http_port}"
            defaults = {"AAF_CONNECT_TO": routing, "AAF_UPSTREAM_CA_FILE": str(authority.file)}
            parts = Parts(database, opa_binary, policy_text=policy_text, settings=defaults | settings)
            stack.callback(parts.close)
            if start:
                parts.start()
            return parts

        yield make


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory) -> Parts:
    """Everything, as it ships."""
    return make_parts()


def name_of(request: pytest.FixtureRequest) -> str:
    """A name for the test's own agent: at most 63 characters that an agent's name may have."""
    plain = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-54:].strip("-")
    return f"{plain}-{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Parts):
                report.sections.extend((f"{name}: {file}", text) for file, text in value.logs())
