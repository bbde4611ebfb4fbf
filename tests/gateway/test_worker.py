"""The worker as a real process: what it needs, what keeps it from starting, how it ends. Requests go through it in `tests/e2e/`."""

import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from firewall.backends.postgres.authority import load_or_create
from firewall.seal import Sealer
from firewall.settings import BadSettings, load
from gateway.children import CANNOT
from gateway.main import bind
from gateway.worker import serve
from tests.conftest import Database
from tests.e2e.pki import TestAuthority
from tests.gateway.processes import KEY, Process


class Worker(Process):
    def __init__(self, database: Database, listening: socket.socket) -> None:
        self.database = database
        self.listening = listening

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    async def run(self, **settings: str) -> None:
        fd = self.listening.fileno()
        command = (sys.executable, "-m", "gateway.worker", "--listen", str(fd), "--lifeline", "LIFELINE", "--ready", "READY")
        given = {
            "DATABASE_URL": self.database.app_dsn,
            "OPA_URL": "unix:///nonexistent",
            "ENCRYPTION_MASTER_KEY": KEY,
            "AAF_DRAIN_SECONDS": "0",
        } | settings
        await self.start(command, given, [fd])

    async def sql(self, text: str) -> list[Any]:
        connection = await asyncpg.connect(self.database.super_dsn)
        try:
            rows: list[Any] = await connection.fetch(text)
            return rows
        finally:
            await connection.close()

    async def events(self) -> list[str]:
        return [row["event"] for row in await self.sql("select event from aaf.audit_log order by seq")]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as made:
        yield made


@pytest.fixture
async def worker(database: Database, listening: socket.socket) -> AsyncIterator[Worker]:
    made = Worker(database, listening)
    yield made
    if made.process.returncode is None:
        made.process.kill()
        await made.end()


async def cannot(worker: Worker, status: int = CANNOT) -> dict[str, Any]:
    """The one line that it wrote about why it did not start, which holds no secret."""
    assert worker.announced.read() == ""
    ended, errors = await worker.end()
    assert ended == status, errors
    assert "hunter2" not in errors
    assert "Traceback" not in errors
    (line,) = [json.loads(line) for line in errors.splitlines() if "cannot-start" in line]
    found: dict[str, Any] = line
    return found


async def test_it_serves_the_socket_that_it_was_given_and_ends_with_its_entry(worker: Worker) -> None:
    await worker.run()
    assert await worker.ready() == {"ready": True}
    with socket.create_connection(("127.0.0.1", worker.port), timeout=20) as client:
        client.sendall(b"GET http://up.test/ HTTP/1.1\r\nHost: up.test\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 407 ")
    worker.process.send_signal(signal.SIGTERM)
    status, errors = await worker.end()
    assert status == 0, errors
    assert await worker.events() == ["process.started", "process.stopped"]
    assert len(await worker.sql("select from aaf.certificate_authority")) == 1


async def test_it_ends_when_its_parent_is_gone(worker: Worker) -> None:
    await worker.run()
    await worker.ready()
    worker.cut()
    assert (await worker.end())[0] == 0
    assert (await worker.events())[-1] == "process.stopped"


SETTINGS = {"DATABASE_URL": "postgresql://aaf@127.0.0.1:1/x", "OPA_URL": "unix:///nonexistent", "ENCRYPTION_MASTER_KEY": KEY}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL and OPA_URL are needed"),
        ({"OPA_URL": ""}, "DATABASE_URL and OPA_URL are needed"),
        ({"ENCRYPTION_MASTER_KEY": ""}, "ENCRYPTION_MASTER_KEY is not set"),
        ({"DATABASE_URL": "postgresql://aaf:hunter2/@db/x"}, "DATABASE_URL: not the address of a Postgres database"),
        ({"ENCRYPTION_MASTER_KEY": "hunter2"}, "ENCRYPTION_MASTER_KEY: must be 32 bytes in base64"),
        ({"AAF_UPSTREAM_CA_FILE": "/no/such.pem"}, "AAF_UPSTREAM_CA_FILE: No such file or directory"),
        ({"AAF_UPSTREAM_CA_FILE": "EMPTY"}, "AAF_UPSTREAM_CA_FILE: "),
        ({"AAF_TLS_CERT_FILE": "/no/such", "AAF_TLS_KEY_FILE": "/no/such"}, "AAF_TLS_CERT_FILE, AAF_TLS_KEY_FILE: No such file"),
        ({"AAF_TLS_CERT_FILE": "EMPTY", "AAF_TLS_KEY_FILE": "EMPTY"}, "AAF_TLS_CERT_FILE, AAF_TLS_KEY_FILE: "),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
async def test_a_setting_that_is_missing_or_wrong_is_named_before_anything_begins(
    listening: socket.socket, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    given = SETTINGS | {name: str(empty) if value == "EMPTY" else value for name, value in settings.items()}
    with pytest.raises(BadSettings) as error:
        await serve(load(given), listening=listening, lifeline=None, ready=None)
    assert str(error.value).startswith(words)
    assert "hunter2" not in str(error.value)


async def test_a_key_of_another_certificate_is_named(listening: socket.socket, tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    one, other = authority.issue("a.test"), authority.issue("b.test")
    given = SETTINGS | {"AAF_TLS_CERT_FILE": str(one.certificate), "AAF_TLS_KEY_FILE": str(other.key)}
    with pytest.raises(BadSettings, match="AAF_TLS_KEY_FILE: "):
        await serve(load(given), listening=listening, lifeline=None, ready=None)


async def test_with_a_bad_setting_no_further_try_would_help(worker: Worker) -> None:
    await worker.run(DATABASE_URL="postgresql://aaf:hunter2/@db/x")
    assert (await cannot(worker))["reason"] == "DATABASE_URL: not the address of a Postgres database"


async def test_without_its_catalogs_it_does_not_start_and_says_which_setting_to_look_at(worker: Worker, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    await worker.run(AAF_CACHE_DIR=str(nowhere))
    assert (await cannot(worker))["reason"].startswith("AAF_CACHE_DIR: the catalogs cannot be read: ")


async def test_with_a_certificate_it_speaks_tls(worker: Worker, tmp_path: Path) -> None:
    import ssl

    authority = TestAuthority(tmp_path)
    pair = authority.issue("localhost")
    await worker.run(
        AAF_TLS_CERT_FILE=str(pair.certificate), AAF_TLS_KEY_FILE=str(pair.key), AAF_UPSTREAM_CA_FILE=str(authority.file)
    )
    await worker.ready()
    context = ssl.create_default_context(cafile=authority.file)
    with (
        socket.create_connection(("127.0.0.1", worker.port), timeout=20) as client,
        context.wrap_socket(client, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"GET http://up.test/ HTTP/1.1\r\nHost: up.test\r\n\r\n")
        assert secured.recv(4096).startswith(b"HTTP/1.1 407 ")


async def test_a_role_that_may_write_the_log_is_refused(worker: Worker) -> None:
    await worker.run(DATABASE_URL=worker.database.admin_dsn)
    reason = (await cannot(worker))["reason"]
    assert reason == "DATABASE_URL: DATABASE_URL's role may write or own audit_log: it must only append and read."


async def test_another_master_key_is_named_with_the_remedy(worker: Worker, sealer: Sealer) -> None:
    async with asyncpg.create_pool(worker.database.app_dsn, min_size=1, max_size=1) as pool:
        await load_or_create(pool, sealer, lambda: ("certificate", b"key"))
    await worker.run(ENCRYPTION_MASTER_KEY="/" * 42 + "8=")
    line = await cannot(worker)
    assert line["reason"].startswith("ENCRYPTION_MASTER_KEY: ")
    assert line["remedy"] == "start it with the ENCRYPTION_MASTER_KEY that this database was first used with"
    assert (await worker.events())[-1] == "process.stopped"


async def test_a_database_that_is_not_there_may_come_so_it_is_worth_another_try(worker: Worker) -> None:
    await worker.run(DATABASE_URL="postgresql://aaf:hunter2@127.0.0.1:1/x")
    assert (await cannot(worker, 1))["reason"].startswith("DATABASE_URL: ConnectionRefusedError: ")
