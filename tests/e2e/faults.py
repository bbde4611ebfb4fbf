"""Dependencies that a test can take away and give back: a policy engine that answers what it is told, a database server of the
test's own, a disk that is full."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from firewall.backends.embedded.postgres import EmbeddedPostgres
from tests import opa_server
from tests.conftest import PostgresServer
from tests.e2e.upstream import LoopThread


class MadeUpOpa:
    """`answer`: what it sends back for a question, as bytes of HTTP; None for nothing at all."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._server: Any = None
        self.answer: Callable[[dict[str, Any]], bytes | None] = lambda _question: None
        self.url = ""
        self._never = asyncio.Event()

    def start(self) -> None:
        self._server = opa_server.made_up(self._reply)
        self.url = self._thread.run(self._server.__aenter__())

    def stop(self) -> None:
        self._thread.run(self._server.__aexit__(None, None, None))

    async def _reply(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        said = self.answer(orjson.loads(body)["input"])
        if said is None:
            await self._never.wait()
        else:
            writer.write(said)


def decision(revision: str, /, **changes: Any) -> dict[str, Any]:
    """A decision to allow, as the policy spells it, with changes; a change to None leaves the key out."""
    whole = {
        "effect": "allow",
        "revision": revision,
        "reason": "made up",
        "rules": ["made-up"],
        "risk": "medium",
        "approval": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
        "obligations": {},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def result(value: Any) -> bytes:
    return opa_server.http(orjson.dumps({"result": value}))


@contextmanager
def own_postgres(folder: Path | None = None) -> Iterator[PostgresServer]:
    """A database server that only one test uses, with a migrated template. `folder`: where it lives, else a temporary one."""
    made = Path(tempfile.mkdtemp(prefix="aaf-own-")) if folder is None else folder
    made.chmod(0o711)
    embedded = EmbeddedPostgres(made, options=("max_connections=100",))
    try:
        embedded.start()
        server = PostgresServer(embedded)
        asyncio.run(server.prepare())
        yield server
    finally:
        embedded.stop()
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


def family(pid: int) -> list[int]:
    """A process and its children: Postgres gives each backend a session of its own, so no group holds them all."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process and its children stand still: connections are there, and nothing answers."""
    stopped: list[int] = []
    try:
        for one in family(pid):
            os.kill(one, signal.SIGSTOP)
            stopped.append(one)
        yield
    finally:
        for one in reversed(stopped):
            os.kill(one, signal.SIGCONT)


class SmallDisk:
    """A file system of `size` bytes. Needs root."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.folder = Path()

    def __enter__(self) -> "SmallDisk":
        self.folder = Path(tempfile.mkdtemp(prefix="aaf-disk-"))
        options = f"size={self._size},mode=0711"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)], check=True, capture_output=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)
        self.folder.rmdir()

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        with self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self.ballast.unlink()
