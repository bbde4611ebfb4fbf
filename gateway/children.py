"""Worker processes: started on one listening socket, started again when they die, stopped together."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from prometheus_client import multiprocess

QUICK_SECONDS = 5.0
"""A worker that dies sooner than this after its start counts as failing, even if it was ready."""
START_SECONDS = 60.0
"""A worker that is not ready by then hangs, and is killed."""
FAILURES = 5
"""How often one may fail (die soon, or before it was ready) that never was ready before."""
BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0)
CANNOT = 78
"""Exit status (sysexits.h, EX_CONFIG) of a worker that no further try would start."""
NOT_STARTED = 127
"""Stands for the exit status where not even a process could be made, as in a shell."""

log = structlog.get_logger()


@dataclass(slots=True)
class Slot:
    number: int
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0


class Workers:
    """`command` is started with `--listen FD --lifeline FD --ready FD`. Its lifeline ends when this process does."""

    def __init__(self, command: Sequence[str], *, count: int, listening: int, environment: Mapping[str, str]) -> None:
        self._command = tuple(command)
        self._listening = listening
        self._environment = dict(environment)
        self._slots = [Slot(number) for number in range(count)]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._lifeline, self._held = os.pipe()
        self.failed = asyncio.Event()
        """One of the workers never started: waiting longer is of no use."""

    @property
    def ready(self) -> int:
        return sum(1 for slot in self._slots if slot.ready.is_set())

    @property
    def restarts(self) -> int:
        return sum(slot.restarts for slot in self._slots)

    @property
    def pids(self) -> list[int]:
        return [slot.process.pid for slot in self._slots if slot.process is not None and slot.process.returncode is None]

    def states(self) -> list[dict[str, int | bool]]:
        """Of each worker: whether it takes connections, and how often it was started again."""
        return [{"worker": slot.number, "ready": slot.ready.is_set(), "restarts": slot.restarts} for slot in self._slots]

    def reload(self) -> None:
        """Every worker loads again what can change while it runs."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    async def all_ready(self) -> None:
        for slot in self._slots:
            await slot.ready.wait()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep(slot)) for slot in self._slots]

    async def stop(self, seconds: float) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            if late:
                log.error("workers.late", count=len(late))
                self._signal(signal.SIGKILL)
                await asyncio.wait(late)
        os.close(self._held)
        os.close(self._lifeline)

    def _signal(self, number: int) -> None:
        for slot in self._slots:
            if slot.process is not None:
                with suppress(ProcessLookupError):  # it has ended, and its end was not heard of yet
                    slot.process.send_signal(number)

    async def _keep(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        failures, was_ready = 0, False
        while not self._stopping.is_set():
            started = loop.time()
            status = await self._run(slot)
            ready = slot.ready.is_set()
            was_ready = was_ready or ready
            slot.ready.clear()
            if self._stopping.is_set():
                return
            slot.restarts += 1
            failures = failures + 1 if not ready or loop.time() - started < QUICK_SECONDS else 0
            log.error("worker.died", worker=slot.number, status=status, restarts=slot.restarts)
            if not was_ready and (failures >= FAILURES or status == CANNOT):
                self.failed.set()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(BACK_OFF[min(failures, len(BACK_OFF) - 1)] if not was_ready or failures > 1 else 0):
                    await self._stopping.wait()

    async def _run(self, slot: Slot) -> int:
        reading, writing = os.pipe()
        try:
            slot.process = await asyncio.create_subprocess_exec(
                *self._command,
                "--listen", str(self._listening), "--lifeline", str(self._lifeline), "--ready", str(writing),
                pass_fds=(self._listening, self._lifeline, writing),
                env=self._environment,
            )  # fmt: skip
        except OSError as error:
            os.close(reading)
            log.error("worker.not-started", worker=slot.number, reason=error.strerror)
            return NOT_STARTED
        finally:
            os.close(writing)
        if self._stopping.is_set():  # SIGTERM came while the process was being made
            self._signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        listening = loop.create_task(self._listen(slot, reading))
        late = loop.call_later(START_SECONDS, self._late, slot)
        try:
            return await slot.process.wait()
        finally:
            late.cancel()
            listening.cancel()
            multiprocess.mark_process_dead(slot.process.pid, self._environment["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]

    def _late(self, slot: Slot) -> None:
        """Its time to start is over."""
        if slot.process is not None and not slot.ready.is_set():
            log.error("worker.hangs", worker=slot.number, seconds=START_SECONDS)
            with suppress(ProcessLookupError):
                slot.process.kill()

    async def _listen(self, slot: Slot, reading: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            line = await stream.readline()
            if line and json.loads(line) == {"ready": True}:
                slot.ready.set()
        except ValueError:
            log.error("worker.unheard", worker=slot.number)
        finally:
            transport.close()
