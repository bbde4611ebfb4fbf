"""CPU time and memory of processes, from /proc (Linux)."""

import os
from collections.abc import Iterable
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")

_GONE = (FileNotFoundError, ProcessLookupError)


def parse_stat(text: str) -> tuple[int, int]:
    """Parent's pid and CPU time in µs (user and system) of one `/proc/PID/stat` (proc(5))."""
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) * TICK_US


def children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent, _ = parse_stat((folder / "stat").read_text())
            except _GONE:
                continue
            if parent == pid:
                found.append(int(folder.name))
    return found


def used(pids: Iterable[int]) -> int:
    """µs of CPU that these processes have used so far, their children not. One that is gone counts nothing."""
    total = 0
    for pid in pids:
        try:
            total += parse_stat(Path(f"/proc/{pid}/stat").read_text())[1]
        except _GONE:
            continue
    return total


def resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
