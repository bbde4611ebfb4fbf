"""What a proxy adds is measured against the same requests without it."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import latency
from benchmarks.load import Result
from benchmarks.place import Place
from benchmarks.system import Target
from benchmarks.throughput import Cell

PLACE = Place(host="localhost", https=1, http=2, http2=3, ca_file=Path("/ca.pem"))


def test_the_time_of_the_direct_way_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    def run(target: Target, _place: Place, cell: Cell, _seconds: float, *, rate: float = 0.0) -> tuple[Result, dict[str, int]]:
        asked.append((cell.kind, rate))
        took = 1_000_000 if cell.kind == "direct" else 3_000_000
        return Result(asked=100, seconds=1.0, latencies=[took] * 100), {}

    monkeypatch.setattr(latency, "run", run)
    parts: dict[str, Any] = {}
    target = Target(name="firewall", proxy_port=1, ca_file="", credentials=["a:b"], parts=parts)
    (added,) = latency.measure([target], PLACE, seconds=1.0)
    assert (added.name, added.rate, added.p50, added.p99) == ("firewall", 50.0, 2.0, 2.0)
    assert asked == [("https", 0.0), ("direct", 50.0), ("https", 50.0)]
