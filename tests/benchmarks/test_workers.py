"""One worker and two are measured in turns, the first round not counted."""

from pathlib import Path

import pytest

from benchmarks import workers
from benchmarks.load import Result
from benchmarks.place import Place
from benchmarks.system import Target
from benchmarks.throughput import Cell

PLACE = Place(host="localhost", https=1, http=2, http2=3, ca_file=Path("/ca.pem"))


def test_the_medians_of_both_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    costs = {"one": iter([9000, 100, 300, 200]), "two": iter([9000, 110, 330, 220])}

    def run(target: Target, _place: Place, _cell: Cell, _seconds: float) -> tuple[Result, dict[str, int]]:
        turns.append(target.name)
        return Result(asked=10, seconds=2.0, latencies=[1] * 10), {"gateway": next(costs[target.name])}

    monkeypatch.setattr(workers, "run", run)
    one, two = (Target(name=name, proxy_port=1, ca_file="", credentials=["a:b"], parts={}) for name in ("one", "two"))
    found = workers.measure(one, two, PLACE, rounds=3, seconds=1.0)
    assert (found.one, found.two, found.one_rate, found.two_rate) == (20.0, 22.0, 5.0, 5.0)
    assert turns == ["one", "two"] * 4
