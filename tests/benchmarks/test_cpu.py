import os
import subprocess
import sys
import time

from benchmarks import cpu

STAT = "4321 (a (very) odd) name) S 17 4321 4321 0 -1 4194560 100 0 0 0 7 5 90 80 20 0 1 0 100 1000 10 18446744073709551615"


def test_parent_and_times_are_read_behind_the_last_bracket_of_the_name() -> None:
    assert cpu.parse_stat(STAT) == (17, 12 * cpu.TICK_US)


def test_work_shows_in_the_time_used() -> None:
    before = cpu.used([os.getpid()])
    end = time.process_time() + 5 * cpu.TICK_US / 1e6
    while time.process_time() < end:
        pass
    assert cpu.used([os.getpid()]) > before


def test_a_process_that_is_gone_counts_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert cpu.used([process.pid]) == 0


def test_children_are_found_and_not_counted_with_their_parent() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert process.pid in cpu.children(os.getpid())
        assert cpu.resident(process.pid) > 0
    finally:
        process.communicate()
