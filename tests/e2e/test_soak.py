"""A mixed load, and what is left of it (`tests/e2e/soak.py`; its own `--minutes 10` is the full run)."""

import asyncio
from pathlib import Path

from tests.conftest import Database
from tests.e2e import soak
from tests.e2e.pki import TestAuthority
from tests.e2e.soak_load import THINGS

WARMING_UP = 40 << 20
"""Bytes that a worker may take in its first seconds."""


def test_nothing_is_left_of_a_mixed_load(own_database: Database, opa_binary: Path, authority: TestAuthority) -> None:
    report = asyncio.run(soak.whole(own_database, opa_binary, authority, seconds=20, workers=2, steady_bytes=WARMING_UP))
    assert report.faults == []
    assert set(report.did) == set(THINGS)
    assert sum(report.did.values()) > 300
    assert report.tasks[1] <= report.tasks[0]


def test_what_grows_shows_in_the_last_third() -> None:
    steady, growing = [100, 101, 99, 100, 100, 101], [100, 110, 120, 130, 140, 150]
    series = [list(pair) for pair in zip(steady, growing, strict=True)]
    assert soak.thirds(series) == [(100.5, 100.5), (105, 145)]
