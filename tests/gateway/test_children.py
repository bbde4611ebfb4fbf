"""Workers as real processes of a few lines: started, started again, given up on, stopped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import children
from gateway.children import CANNOT, FAILURES, NOT_STARTED, Workers
from tests.gateway.processes import BEGIN, SERVES, Notes, listening, runs, worker
from tests.gateway.rig import until


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "BACK_OFF", (0.0, 0.01))


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@asynccontextmanager
async def made(notes: Notes, command: tuple[str, ...], count: int = 1, seconds: float = 20) -> AsyncIterator[Workers]:
    """Workers that are started, and stopped at the end."""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(notes.file.parent), "NOTES": str(notes.file)}
    with listening() as socket:
        workers = Workers(command, count=count, listening=socket.fileno(), environment=environment)
        workers.start()
        try:
            yield workers
        finally:
            await workers.stop(seconds)


async def test_every_worker_is_started_and_says_that_it_is_ready(notes: Notes) -> None:
    async with made(notes, worker(SERVES), count=3) as workers:
        await workers.all_ready()
        assert (workers.ready, workers.restarts, len(set(workers.pids))) == (3, 0, 3)
    assert (sorted(notes.words()), workers.pids) == (["begun"] * 3 + ["term"] * 3, [])


async def test_one_that_dies_is_started_again_and_the_others_stay(notes: Notes) -> None:
    async with made(notes, worker(SERVES), count=2) as workers:
        await workers.all_ready()
        killed, stays = workers.pids
        with capture_logs() as logs:
            os.kill(killed, signal.SIGKILL)
            await until(lambda: workers.restarts == 1 and workers.ready == 2)
        assert killed not in workers.pids
        assert stays in workers.pids
        assert not workers.failed.is_set()
    died = [entry for entry in logs if entry["event"] == "worker.died"]
    assert [(entry["status"], entry["restarts"]) for entry in died] == [(-signal.SIGKILL, 1)]


async def test_one_that_was_ready_once_is_started_again_for_ever(notes: Notes) -> None:
    async with made(notes, worker(SERVES)) as workers:
        await workers.all_ready()
        for restarts in range(1, FAILURES + 3):
            os.kill(workers.pids[0], signal.SIGKILL)
            await until(lambda restarts=restarts: workers.restarts == restarts and workers.ready == 1)  # type: ignore[misc]
        assert not workers.failed.is_set()


async def test_one_that_never_starts_is_tried_a_few_times_and_then_given_up(notes: Notes) -> None:
    async with made(notes, worker(BEGIN + "sys.exit(3)")) as workers:
        async with asyncio.timeout(30):
            await workers.failed.wait()
        assert (workers.ready, workers.restarts) == (0, FAILURES)
    assert notes.words() == ["begun"] * FAILURES


async def test_one_that_says_that_no_try_would_help_is_tried_once(notes: Notes) -> None:
    async with made(notes, worker(BEGIN + f"sys.exit({CANNOT})")) as workers:
        async with asyncio.timeout(30):
            await workers.failed.wait()
        assert workers.restarts == 1
    assert notes.words() == ["begun"]


HANGS = BEGIN + "while True: time.sleep(1000)\n"


async def test_one_that_hangs_before_it_is_ready_is_killed_and_given_up_after_a_few_tries(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "START_SECONDS", 0.3)
    with capture_logs() as logs:
        async with made(notes, worker(HANGS)) as workers:
            async with asyncio.timeout(60):
                await workers.failed.wait()
            assert (workers.ready, workers.restarts, workers.pids) == (0, FAILURES, [])
    assert [entry["worker"] for entry in logs if entry["event"] == "worker.hangs"] == [0] * FAILURES
    assert {entry["status"] for entry in logs if entry["event"] == "worker.died"} == {-signal.SIGKILL}
    assert [pid for pid in notes.pids() if runs(pid)] == []


async def test_one_that_dies_late_but_never_was_ready_is_given_up_too(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "QUICK_SECONDS", 0.0)
    async with made(notes, worker(BEGIN + "sys.exit(3)")) as workers:
        async with asyncio.timeout(30):
            await workers.failed.wait()
        assert workers.restarts == FAILURES


async def test_one_that_was_ready_in_time_is_not_killed_when_that_time_is_over(notes: Notes) -> None:
    async with made(notes, worker(SERVES)) as workers:
        await workers.all_ready()
        workers._late(workers._slots[0])
        assert (workers.ready, workers.restarts) == (1, 0)
    assert notes.words() == ["begun", "term"]


async def test_one_that_was_ready_once_and_hangs_when_started_again_is_tried_for_ever(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = BEGIN + "first = open(os.environ['NOTES']).read().count('begun') == 1\nif first: ready()\nwhile True: time.sleep(1000)\n"
    async with made(notes, worker(code)) as workers:
        await workers.all_ready()
        monkeypatch.setattr(children, "START_SECONDS", 0.3)
        os.kill(workers.pids[0], signal.SIGKILL)
        await until(lambda: workers.restarts > FAILURES, seconds=60)
        assert not workers.failed.is_set()


async def test_a_program_that_does_not_exist_is_given_up_like_one_that_never_starts(notes: Notes) -> None:
    with capture_logs() as logs:
        async with made(notes, ("/no/such/program",)) as workers, asyncio.timeout(30):
            await workers.failed.wait()
    assert [entry["reason"] for entry in logs if entry["event"] == "worker.not-started"] == ["No such file or directory"] * FAILURES
    assert {entry["status"] for entry in logs if entry["event"] == "worker.died"} == {NOT_STARTED}


@pytest.mark.parametrize("said", ['{"ready": false}', "[]", "nonsense", '{"ready": "no"}', ""])
async def test_what_a_worker_says_otherwise_does_not_make_it_ready(notes: Notes, said: str) -> None:
    code = BEGIN + f"ready({said + chr(10)!r})\nos.close(fd('--ready'))\nnote('said')\nos.read(fd('--lifeline'), 1)\n"
    async with made(notes, worker(code)) as workers:
        await until(lambda: "said" in notes.words())
        reading = [task for task in asyncio.all_tasks() if "_listen" in repr(task)]
        if reading:
            await asyncio.wait(reading)
        assert workers.ready == 0
        assert len(workers.pids) == 1


async def test_one_that_does_not_end_in_time_is_killed(notes: Notes) -> None:
    code = BEGIN + "signal.signal(signal.SIGTERM, lambda *_: note('refuses'))\nready()\nwhile True: time.sleep(1000)\n"
    with capture_logs() as logs:
        async with made(notes, worker(code), seconds=0.5) as workers:
            await workers.all_ready()
            (pid,) = workers.pids
    assert notes.words() == ["begun", "refuses"]
    assert not runs(pid)
    assert [entry["count"] for entry in logs if entry["event"] == "workers.late"] == [1]


async def test_stopping_does_not_wait_for_the_next_try(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "BACK_OFF", (10_000.0,))
    async with made(notes, worker(BEGIN + "sys.exit(3)"), seconds=10_000) as workers:
        await until(lambda: workers.restarts == 1)
    assert notes.words() == ["begun"]


async def test_stopped_while_they_are_being_made_they_end_too(notes: Notes) -> None:
    async with made(notes, worker(SERVES), count=2) as workers:
        await asyncio.sleep(0)
    assert workers.pids == []
    assert [pid for pid in notes.pids() if runs(pid)] == []


async def test_one_that_ended_unheard_a_moment_ago_is_no_obstacle_to_stopping_the_others(notes: Notes) -> None:
    async with made(notes, worker(SERVES), count=2) as workers:
        await workers.all_ready()
        first, second = workers.pids
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # the loop has not turned since
    assert not runs(second)
    assert (second, "term") in notes.all()


async def test_workers_get_the_socket_and_nothing_else_that_is_open_here(notes: Notes, tmp_path: Path) -> None:
    code = BEGIN + (
        "import socket\nheard = socket.socket(fileno=fd('--listen'))\nready()\nclient, _ = heard.accept()\n"
        "client.sendall(','.join(sorted(os.listdir('/proc/self/fd'))).encode())\nclient.close()\nos.read(fd('--lifeline'), 1)\n"
    )
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        async with made(notes, worker(code)) as workers:
            await workers.all_ready()
            reader, writer = await asyncio.open_connection("127.0.0.1", _port(workers))
            fds = (await reader.read()).decode().split(",")
            writer.close()
            await writer.wait_closed()
            assert str(secret.fileno()) not in fds


def _port(workers: Workers) -> int:
    import socket

    with socket.socket(fileno=os.dup(workers._listening)) as copy:
        return int(copy.getsockname()[1])
