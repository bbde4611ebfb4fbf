"""The supervisor as a real process over real workers of a few lines. What the real worker does is `test_worker.py`; the whole
system, `tests/e2e/`."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.children import CANNOT, FAILURES
from gateway.main import bind
from tests.gateway.processes import BEGIN, KEY, PYTHON, SERVES, Notes, Process, runs, worker
from tests.gateway.rig import until

RUN = """
import sys
from firewall.backends.logs import configure_logs
from firewall.settings import load
from gateway import children
from gateway.main import main
configure_logs()
children.BACK_OFF = (0.0, 0.01)
sys.exit(main(load(), lifeline=LIFELINE, ready=READY, worker=%r))
"""
SETTINGS = {
    "DATABASE_URL": "postgresql://aaf:the-password@127.0.0.1:1/x",
    "OPA_URL": "unix:///nonexistent",
    "ENCRYPTION_MASTER_KEY": KEY,
    "AAF_PROXY_PORT": "0",
    "AAF_GATEWAY_ADMIN_PORT": "0",
    "AAF_GATEWAY_WORKERS": "2",
    "AAF_DRAIN_SECONDS": "1",
}


class Gateway(Process):
    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    async def run(self, code: str = SERVES, **settings: str) -> None:
        command = (*PYTHON, RUN % (worker(code),))
        given = {name: value for name, value in (SETTINGS | settings).items() if value}
        await self.start(command, given | {"NOTES": str(self.notes.file)})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    made = Gateway(Notes(tmp_path / "notes"))
    yield made
    if made.process.returncode is None:
        made.process.kill()
        await made.end()


async def live(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(url + "/health/live") as response:
        return response.status == 200


async def test_ready_it_says_where_and_the_socket_takes_connections(gateway: Gateway) -> None:
    await gateway.run()
    told = await gateway.ready()
    host, port = told["proxy_url"].removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), timeout=20).close()
    assert host == "127.0.0.1"
    assert await live(told["admin_url"])
    assert len(gateway.notes.pids()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_its_workers_and_then_itself(gateway: Gateway, number: int) -> None:
    await gateway.run()
    await gateway.ready()
    gateway.process.send_signal(number)
    status, errors = await gateway.end()
    assert status == 0, errors
    assert sorted(gateway.notes.words()) == ["begun"] * 2 + ["term"] * 2
    assert [pid for pid in gateway.notes.pids() if runs(pid)] == []


async def test_the_end_of_its_parent_ends_it(gateway: Gateway) -> None:
    await gateway.run()
    await gateway.ready()
    gateway.cut()
    assert (await gateway.end())[0] == 0
    assert [pid for pid in gateway.notes.pids() if runs(pid)] == []


async def test_killed_it_takes_its_workers_with_it(gateway: Gateway) -> None:
    await gateway.run()
    await gateway.ready()
    gateway.process.kill()
    await gateway.end()
    await until(lambda: gateway.notes.words().count("orphaned") == 2)


async def test_a_worker_that_dies_is_started_again_on_the_same_socket(gateway: Gateway) -> None:
    await gateway.run()
    told = await gateway.ready()
    os.kill(gateway.notes.pids()[0], signal.SIGKILL)
    await until(lambda: len(gateway.notes.pids()) == 3)
    assert gateway.process.returncode is None
    socket.create_connection(("127.0.0.1", int(told["proxy_url"].rpartition(":")[2])), timeout=20).close()
    gateway.process.send_signal(signal.SIGTERM)
    status, errors = await gateway.end()
    assert status == 0
    died = [json.loads(line) for line in errors.splitlines() if "worker.died" in line]
    assert [entry["status"] for entry in died] == [-signal.SIGKILL]


@pytest.mark.parametrize(("code", "tries"), [(BEGIN + "sys.exit(3)", FAILURES), (BEGIN + f"sys.exit({CANNOT})", 1)])
async def test_a_worker_that_cannot_start_ends_it_and_it_was_never_ready(gateway: Gateway, code: str, tries: int) -> None:
    await gateway.run(code, AAF_GATEWAY_WORKERS="1")
    announced = await asyncio.to_thread(gateway.announced.read)
    status, errors = await gateway.end()
    assert (status, announced) == (1, "")
    assert gateway.notes.words() == ["begun"] * tries
    assert "the-password" not in errors


async def test_workers_that_hang_before_they_are_ready_end_it_and_that_is_logged(gateway: Gateway) -> None:
    hangs = RUN.replace("children.BACK_OFF", "children.START_SECONDS = 0.5\nchildren.BACK_OFF")
    command = (*PYTHON, hangs % (worker(BEGIN + "while True: time.sleep(1000)\n"),))
    await gateway.start(command, SETTINGS | {"NOTES": str(gateway.notes.file)})
    announced = await asyncio.to_thread(gateway.announced.read)
    status, errors = await gateway.end()
    assert (status, announced) == (1, "")
    assert errors.count("worker.hangs") >= FAILURES
    assert [pid for pid in gateway.notes.pids() if runs(pid)] == []


async def test_a_worker_whose_program_is_missing_ends_it_too(gateway: Gateway) -> None:
    command = (*PYTHON, RUN % (("/no/such/program",),))
    await gateway.start(command, SETTINGS | {"NOTES": str(gateway.notes.file)})
    status, errors = await gateway.end()
    assert status == 1
    assert "No such file or directory" in errors


async def test_stopped_before_it_is_ready_it_ends_well(gateway: Gateway) -> None:
    await gateway.run(BEGIN + "note('waits')\nos.read(fd('--lifeline'), 1)\n")
    await until(lambda: gateway.notes.words().count("waits") == 2)
    gateway.process.send_signal(signal.SIGTERM)
    assert (await gateway.end())[0] == 0
    assert gateway.notes.words().count("term") == 2


@pytest.mark.parametrize("names", [["OPA_URL"], ["DATABASE_URL", "ENCRYPTION_MASTER_KEY"]], ids=str)
async def test_settings_that_are_missing_are_named_and_no_worker_begins(gateway: Gateway, names: list[str]) -> None:
    await gateway.run(**dict.fromkeys(names, ""))
    status, errors = await gateway.end()
    assert (status, json.loads(errors)["names"]) == (2, names)
    assert gateway.notes.words() == []


@pytest.mark.parametrize("name", ["AAF_PROXY_PORT", "AAF_GATEWAY_ADMIN_PORT"])
async def test_a_port_that_is_taken_is_named_with_the_remedy(gateway: Gateway, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        await gateway.run(**{name: str(taken.getsockname()[1])})
        status, errors = await gateway.end()
    entry = json.loads(errors)
    assert (status, entry["remedy"]) == (1, f"stop what uses it, or set {name}")
    assert "address already in use" in entry["reason"].lower()
    assert gateway.notes.words() == []


def test_what_is_bound_is_inherited_and_an_address_of_ipv6_is_taken() -> None:
    for host in ("127.0.0.1", "::1"):
        with bind(host, 0) as listening:
            assert listening.get_inheritable()
            socket.create_connection(listening.getsockname()[:2], timeout=20).close()


def test_no_other_process_can_listen_beside_it() -> None:
    """SO_REUSEPORT would let any program of the same user join, and get its share of the agents."""
    with bind("127.0.0.1", 0) as listening, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(listening.getsockname())
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(OSError, match="Cannot assign requested address"):
        bind("192.0.2.1", 0)
