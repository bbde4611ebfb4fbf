"""SIGKILL of gateway workers under load (`tests/e2e/kill.py`; its own `--kills 50` is the full run)."""

import asyncio
from pathlib import Path

from addons import PATH
from tests.conftest import Database
from tests.e2e import kill
from tests.e2e.killable import APPEND_AFTER_RELEASE
from tests.e2e.pki import TestAuthority


def run(database: Database, opa: Path, authority: TestAuthority, folder: Path, *, kills: int, mutation: str = "") -> kill.Report:
    return asyncio.run(kill.whole(database, opa, authority, folder, kills=kills, workers=2, mutation=mutation))


def test_nothing_left_without_its_entry_and_no_grant_was_spent_twice(
    own_database: Database, opa_binary: Path, authority: TestAuthority, tmp_path: Path
) -> None:
    report = run(own_database, opa_binary, authority, tmp_path, kills=8)
    assert report.faults == []
    assert sum(report.kills.values()) == 8
    assert report.arrivals > 100
    assert report.spent > 5


def test_a_gateway_that_records_after_it_releases_is_caught(
    own_database: Database, opa_binary: Path, authority: TestAuthority, tmp_path: Path
) -> None:
    report = run(own_database, opa_binary, authority, tmp_path, kills=4, mutation=APPEND_AFTER_RELEASE)
    assert any("reached the destination" in fault for fault in report.faults)


def test_the_full_run_kills_in_every_step() -> None:
    places = list(kill.plan(50))
    assert {where[0] for where in places if where is not None} == {step.name for step in PATH}
    assert sum(1 for where in places if where is None) >= 10
