"""A gateway whose workers can be told to die inside a step: `main` is the supervisor's, `python -m tests.e2e.killable` a worker.

The order is a file in the folder that KILLABLE names: `STEP WHEN`, when being before, during or after. The worker that gets there
first takes the order and kills itself, as `kill -9` would. KILLABLE_MUTATION=append-after-release makes a gateway that sends
first and records afterwards: the one that the check must catch.
"""

import asyncio
import os
import random
import signal
import sys
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

from addons import PATH
from addons.passage import Passage, Step
from addons.record import Record
from addons.settle import Settle
from firewall.settings import Settings
from gateway import main as supervisor
from gateway import worker

FOLDER, MUTATION = "KILLABLE", "KILLABLE_MUTATION"
APPEND_AFTER_RELEASE = "append-after-release"
MOMENTS = ("before", "during", "after")
DURING_SECONDS = 0.01


def main(settings: Settings, *, lifeline: int | None, ready: int | None) -> int:
    return supervisor.main(settings, lifeline=lifeline, ready=ready, worker=(sys.executable, "-m", "tests.e2e.killable"))


def order(folder: Path, step: str, when: str) -> None:
    part = folder / "order.part"
    part.write_text(f"{step} {when}")
    part.rename(folder / "order")


def taken(folder: Path) -> int | None:
    """Which process took the order and died of it."""
    try:
        return int((folder / "taken").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _obey(folder: Path, step: str, when: str) -> None:
    file = folder / "order"
    try:
        if file.read_text() != f"{step} {when}":
            return
        file.rename(folder / f"order.{os.getpid()}")  # one worker alone succeeds
    except FileNotFoundError:
        return
    part = folder / "taken.part"
    part.write_text(str(os.getpid()))
    part.rename(folder / "taken")
    if when == "during":
        asyncio.get_running_loop().call_later(random.random() * DURING_SECONDS, _die)
    else:
        _die()


@dataclass(frozen=True, slots=True)
class _Done:
    """A step was taken to its end here; `back`: what it gave back."""

    back: str | None


def make_killable(kind: type[Step], folder: Path) -> None:
    call, answered = kind.__call__, kind.answered

    async def killable(step: Step, passage: Passage) -> Any:
        _obey(folder, kind.name, "before")
        _obey(folder, kind.name, "during")
        back = call(step, passage)
        while back is not None and isawaitable(back):
            back = answered(step, passage, await back)
        _obey(folder, kind.name, "after")
        return _Done(back)

    def passed(step: Step, passage: Passage, result: Any) -> Any:
        return result.back if isinstance(result, _Done) else answered(step, passage, result)

    if kind is Settle:  # nobody waits for it

        def settling(step: Step, passage: Passage) -> Any:
            _obey(folder, kind.name, "before")
            _obey(folder, kind.name, "during")
            call(step, passage)
            _obey(folder, kind.name, "after")

        setattr(kind, "__call__", settling)
        return
    setattr(kind, "__call__", killable)
    setattr(kind, "answered", passed)


def record_after_release() -> None:
    """The mutation: what is allowed is only said to be recorded, and is when its answer has come."""
    record, settle = Record.__call__, Settle.__call__
    steps: list[Record] = []
    late: list[asyncio.Future[Any]] = []

    def promise(step: Record, passage: Passage) -> Any:
        if passage.refusal is not None:
            return record(step, passage)
        steps.append(step)
        passage.recorded = True
        return None

    def keep(step: Settle, passage: Passage) -> None:
        if passage.released and not passage.settled:
            late.append(asyncio.ensure_future(record(steps[0], passage)))
        settle(step, passage)

    setattr(Record, "__call__", promise)
    setattr(Settle, "__call__", keep)


if __name__ == "__main__":
    if os.environ.get(MUTATION) == APPEND_AFTER_RELEASE:
        record_after_release()
    for kind in PATH:
        make_killable(kind, Path(os.environ[FOLDER]))
    sys.exit(worker.main(sys.argv[1:]))
