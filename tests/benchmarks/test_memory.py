import asyncio
import os

import pytest

from benchmarks import memory
from benchmarks.bulk import Stream
from benchmarks.memory import MEGABYTE, Figure, Peak
from benchmarks.system import Target


def this_process() -> Target:
    return Target(name="this", proxy_port=0, ca_file="", credentials=[], parts={"gateway": [os.getpid()]})


def test_a_figure_over_its_limit_is_told() -> None:
    assert Figure(name="x", value=120.1, limit=120).over
    assert not Figure(name="x", value=120, limit=120).over
    assert memory.each(61 * 1024, 1000) == Figure(name="each of 1,000 held HTTPS requests", value=61, limit=60, unit="KiB")


async def test_a_peak_is_seen_though_it_has_passed() -> None:
    peak = Peak(this_process())
    async with peak.watched():
        block = bytearray(os.urandom(1) * 80 * MEGABYTE)
        async with asyncio.timeout(20):
            while peak.most - peak.before < 60 * MEGABYTE:
                await asyncio.sleep(0)
        del block
    moved = peak.moved("a block", 10)
    assert (moved.value > 60, moved.over, peak.held("all", 1).value > moved.value) == (True, True, True)


async def test_another_answer_than_the_expected_one_ends_the_bench() -> None:
    stream = Stream(b"", 0, 0)
    stream.head = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    memory._expect(stream, b"HTTP/1.1 502 ")
    with pytest.raises(SystemExit, match=r"FAILED: HTTP/1\.1 413 was expected"):
        memory._expect(stream, b"HTTP/1.1 413 ")
