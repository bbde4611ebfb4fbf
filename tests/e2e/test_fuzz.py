"""Misbehaving clients and destinations over one pool (`tests/e2e/fuzz.py`; its own `--answers 100000` is the full run)."""

import asyncio
from pathlib import Path

from tests.conftest import Database
from tests.e2e import fuzz
from tests.e2e.fuzz_client import Request, Tally
from tests.e2e.fuzz_site import Arrival, Asked, Site
from tests.e2e.pki import TestAuthority


def test_every_answer_belongs_to_its_request(own_database: Database, opa_binary: Path, authority: TestAuthority) -> None:
    report = asyncio.run(fuzz.whole(own_database, opa_binary, authority, answers=1500, seed=20261125, workers=2))
    assert report.faults == []
    assert report.counts["whole"] > 1000
    assert report.counts["ours: 403"] > 20
    assert report.counts["ours: 502"] > 20
    assert report.counts["cut"] > 20
    assert report.counts["left"] > 50
    assert report.again > 0


def asked(unique: str, *, index: int, method: str = "GET", connection: int = 1) -> Asked:
    arrival = Arrival(connection=connection, index=index, method=method)
    return Asked(unique=unique, method=method, do="length", size=0, fields={}, sent=0, arrival=arrival)


def test_a_request_that_came_twice_without_need_is_caught() -> None:
    for first, method, spoke in ((0, "GET", False), (1, "POST", False), (1, "GET", True)):
        site = Site(1)
        one = asked("a.1", index=first, method=method)
        site.came(one)
        one.arrival.spoke = spoke
        site.came(asked("a.1", index=0, method=method, connection=2))
        assert len(site.faults) == 1


def test_a_repeated_request_whose_used_connection_ended_is_none() -> None:
    site = Site(1)
    site.came(asked("a.1", index=3))
    site.came(asked("a.1", index=0, connection=2))
    assert site.faults == []
    site.came(asked("a.1", index=0, connection=3))
    assert len(site.faults) == 1


def test_a_fault_names_its_request() -> None:
    tally = Tally()
    request = Request(
        unique="a.1", method="GET", do="length", size=7, send=0, chunked=False, old=False, expects=False, denied=False
    )  # fmt: skip
    tally.fault(request, "another body")
    assert tally.faults == ["a.1 (GET length, 7): another body"]
