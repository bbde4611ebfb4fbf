import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from firewall.backends.embedded import identity
from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.postgres import ADMIN, SUPERUSER, CannotStart, EmbeddedPostgres, InUse


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder)
    made.start()
    yield made
    made.stop()


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_ships_durable(server: EmbeddedPostgres) -> None:
    dsn = server.dsn(SUPERUSER, "postgres")
    assert [await value(dsn, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


async def test_nobody_gets_in_without_a_password(server: EmbeddedPostgres) -> None:
    dsn = server.dsn(SUPERUSER, "postgres")
    wrong = dsn.replace(dsn.split(":")[2].split("@")[0], "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(wrong, "select 1")
    with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
        await asyncpg.connect(
            host=str(server.folder / "run"), port=server.port, user=SUPERUSER, password="wrong", database="postgres"
        )


async def test_what_was_written_is_there_after_a_restart(server: EmbeddedPostgres, folder: Path) -> None:
    await server.prepare()
    connection = await asyncpg.connect(server.dsn(ADMIN))
    await connection.execute("create table kept as select 7 as n")
    await connection.close()
    server.stop()
    again = EmbeddedPostgres(folder)
    again.start()
    try:
        await again.prepare()
        assert await value(again.dsn(ADMIN), "select n from kept") == 7
    finally:
        again.stop()


async def test_a_server_that_was_killed_is_started_again_with_what_it_had_committed(server: EmbeddedPostgres) -> None:
    await server.prepare()
    connection = await asyncpg.connect(server.dsn(ADMIN))
    await connection.execute("create table kept as select 7 as n")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    connection.terminate()
    server._process.wait()  # type: ignore[union-attr]
    server.restart()
    assert await value(server.dsn(ADMIN), "select n from kept") == 7


@pytest.mark.usefixtures("server")
def test_a_second_one_on_the_same_folder_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(InUse, match=str(folder)):
        EmbeddedPostgres(folder).start()


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    first.start()
    first.stop()
    (first.folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{first.folder / 'data'}\n")
    again = EmbeddedPostgres(folder)
    again.start()
    again.stop()


def test_the_passwords_are_for_the_owner_alone(server: EmbeddedPostgres, folder: Path) -> None:
    assert stat.S_IMODE((folder / "postgres.json").stat().st_mode) == 0o600
    assert server.app_password in (folder / "postgres.json").read_text()


@pytest.mark.usefixtures("server")
def test_a_database_without_its_passwords_says_so(folder: Path, server: EmbeddedPostgres) -> None:
    server.stop()
    (folder / "postgres.json").unlink()
    with pytest.raises(CannotStart, match=r"postgres\.json is missing"):
        EmbeddedPostgres(folder).start()


def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(folder: Path, server: EmbeddedPostgres) -> None:
    server.stop()
    where = server.folder
    where.rename(where.with_name("gone"))
    with pytest.raises(CannotStart, match=f"was made in {where}"):
        EmbeddedPostgres(folder).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's children run as somebody else")
async def test_as_root_the_database_stays_where_it_is_when_a_folder_above_it_opens_or_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as home:
        monkeypatch.setattr(identity, "OUTSIDE", Path(home) / "outside")
        opened, closed = Path(home) / "opened", Path(home) / "closed"
        closed.mkdir(mode=0o700)
        Path(home).chmod(0o711)
        opened.mkdir(mode=0o711)
        outside, inside = EmbeddedPostgres(closed / "data"), EmbeddedPostgres(opened / "data")
        for made in (outside, inside):
            made.start()
            try:
                await made.prepare()
            finally:
                made.stop()
        assert inside.folder == opened / "data" / "postgres"
        assert outside.folder.is_relative_to(Path(home) / "outside")
        closed.chmod(0o711)
        again = EmbeddedPostgres(closed / "data")
        again.start()
        try:
            assert again.folder == outside.folder
            assert await value(again.dsn(SUPERUSER, "postgres"), "select count(*) from pg_database where datname = 'aaf'") == 1
        finally:
            again.stop()
        opened.chmod(0o700)
        with pytest.raises(CannotStart, match="let that user reach it"):
            EmbeddedPostgres(opened / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's children run as somebody else")
def test_as_root_it_runs_as_somebody_else_and_out_of_a_closed_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    closed = EmbeddedPostgres(tmp_path)
    closed.start()
    try:
        assert closed.pid is not None
        assert os.stat(f"/proc/{closed.pid}").st_uid == Identity.unprivileged().uid != 0
        assert tmp_path not in closed.folder.parents
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    finally:
        closed.stop()
