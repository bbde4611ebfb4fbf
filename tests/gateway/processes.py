"""Real child processes for the supervisor's tests: workers of a few lines, and the gateway as `aaf up` starts it."""

import asyncio
import base64
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 120
"""What takes longer hangs. A process that starts takes two seconds of a processor, which a loaded machine gives it in thirty."""
KEY = base64.b64encode(bytes(32)).decode()
PYTHON = (sys.executable, "-c")

BEGIN = """
import json, os, signal, sys, time
def fd(name):
    return int(sys.argv[sys.argv.index(name) + 1])
def ready(text='{"ready": true}\\n'):
    os.write(fd("--ready"), text.encode())
def note(text):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{os.getpid()} {text}\\n")
signal.signal(signal.SIGTERM, lambda *_: (note("term"), sys.exit(0)))
note("begun")
"""

SERVES = BEGIN + "ready()\nos.read(fd('--lifeline'), 1)\nnote('orphaned')\n"
"""Is ready at once, and ends with its lifeline."""


def worker(code: str) -> tuple[str, ...]:
    return (*PYTHON, code)


class Notes:
    """What the workers wrote down: process id and word, in order."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def all(self) -> list[tuple[int, str]]:
        if not self.file.exists():
            return []
        return [(int(pid), word) for pid, word in (line.split() for line in self.file.read_text().splitlines())]

    def words(self) -> list[str]:
        return [word for _, word in self.all()]

    def pids(self) -> list[int]:
        return [pid for pid, word in self.all() if word == "begun"]


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.set_inheritable(True)
        yield made


def runs(pid: int) -> bool:
    """Whether a process runs. One that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Process:
    """A process with a lifeline and a ready pipe. `command` gets both as file descriptors."""

    async def start(self, command: Sequence[str], environment: Mapping[str, str], passes: Sequence[int] = ()) -> None:
        life_read, self.life = os.pipe()
        ready_read, ready_write = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            *(part.replace("LIFELINE", str(life_read)).replace("READY", str(ready_write)) for part in command),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **environment},
            pass_fds=(life_read, ready_write, *passes),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        os.close(life_read)
        os.close(ready_write)
        self.announced = os.fdopen(ready_read)

    async def ready(self) -> dict[str, Any]:
        async with asyncio.timeout(HANG_SECONDS):
            line = await asyncio.to_thread(self.announced.readline)
        assert line, await self.end()
        found: dict[str, Any] = json.loads(line)
        return found

    async def end(self) -> tuple[int, str]:
        """Waits for its end: exit status and what it wrote to stderr."""
        try:
            async with asyncio.timeout(HANG_SECONDS):
                _, errors = await self.process.communicate()
        finally:
            self.announced.close()
            self.cut()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    def cut(self) -> None:
        """The parent is gone."""
        if self.life >= 0:
            os.close(self.life)
            self.life = -1
