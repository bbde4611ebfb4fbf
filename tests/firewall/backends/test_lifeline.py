import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firewall.backends.lifeline import announce, watch

ROOT = Path(__file__).parents[3]


async def test_the_end_of_the_other_side_is_told_once() -> None:
    reading, writing = os.pipe()
    ended = asyncio.Event()
    told: list[None] = []

    def on_eof() -> None:
        told.append(None)
        ended.set()

    watch(reading, on_eof)
    os.close(writing)
    async with asyncio.timeout(20):
        await ended.wait()
    assert not asyncio.get_running_loop().remove_reader(reading)  # nobody looks at it any more
    os.close(reading)
    assert told == [None]


async def test_what_is_written_into_it_is_not_its_end() -> None:
    reading, writing = os.pipe()
    ended = asyncio.Event()
    watch(reading, ended.set)
    os.write(writing, b"x" * 1000)
    while _waiting(reading):
        await asyncio.sleep(0)
    assert not ended.is_set()
    os.close(writing)
    async with asyncio.timeout(20):
        await ended.wait()
    os.close(reading)


async def test_a_parent_that_is_killed_ends_it() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    parent = subprocess.Popen(["sleep", "1000"], pass_fds=(writing,))
    os.close(writing)
    ended = asyncio.Event()
    watch(reading, ended.set)
    assert not ended.is_set()
    parent.kill()
    async with asyncio.timeout(20):
        await ended.wait()
    parent.wait()
    os.close(reading)


def test_what_is_announced_is_one_line_and_then_the_end() -> None:
    reading, writing = os.pipe()
    announce(writing, {"proxy_url": "http://127.0.0.1:1", "ready": True})
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    assert text.count("\n") == 1
    assert json.loads(text) == {"proxy_url": "http://127.0.0.1:1", "ready": True}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)


def test_a_parent_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    announce(writing, {"ready": True})
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)


def test_a_child_says_it_to_a_real_parent() -> None:
    reading, writing = os.pipe()
    code = f"from firewall.backends.lifeline import announce; announce({writing}, {{'ready': True}})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, pass_fds=(writing,))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert json.loads(pipe.read()) == {"ready": True}


def _waiting(fd: int) -> bool:
    """Whether bytes lie in the pipe."""
    import select

    return bool(select.select([fd], [], [], 0)[0])
