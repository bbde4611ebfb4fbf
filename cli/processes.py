"""The processes of `aaf up`: started one after another, watched, started again when they die, stopped in reverse."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import structlog

BACK_OFF = (0.2, 1.0, 3.0, 10.0)

log = structlog.get_logger()


class ChildFailed(Exception):
    """A child ended before it was ready. What it said stands on stderr."""


class Child:
    """`aaf NAME` as a child that ends when this process does, and says when it is ready."""

    def __init__(self, name: str, environment: Mapping[str, str], lifeline: int) -> None:
        self.name = name
        self._environment = dict(environment)
        self._lifeline = lifeline
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> Mapping[str, Any]:
        """Waits until the child is ready; returns what it announced. Raises ChildFailed."""
        announced = await self._launch()
        if announced is None:
            status = None if self._process is None else self._process.returncode
            raise ChildFailed(f"`aaf {self.name}` ended with status {status} before it was ready")
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        return announced

    async def stop(self, seconds: float) -> None:
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), seconds)
            except TimeoutError:
                log.error("child.late", child=self.name)
                process.kill()
                await process.wait()
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _launch(self) -> Mapping[str, Any] | None:
        """None: it ended without a word."""
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.app", self.name, "--lifeline", str(self._lifeline), "--ready", str(writing),
                env=self._environment, pass_fds=(self._lifeline, writing), stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(writing)
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            line = await stream.readline()
        finally:
            transport.close()
        if not line:
            await self._process.wait()
            return None
        announced: Mapping[str, Any] = json.loads(line)
        return announced

    async def _watch(self) -> None:
        failures = 0
        while not self._stopping and self._process is not None:
            status = await self._process.wait()
            if self._stopping:
                return
            log.error("child.died", child=self.name, status=status)
            await asyncio.sleep(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
            if self._stopping:
                return
            failures = 0 if await self._launch() is not None else failures + 1
