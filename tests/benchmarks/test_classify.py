import random
from pathlib import Path

import pytest

from benchmarks import classify
from benchmarks.classify import Line, Naive, anonymous, asked_of, at, best, hostile, measure
from firewall.classify.catalog.facts import print_facts
from firewall.classify.catalog.texts import index_of
from tests.firewall.classify.catalog.made import facts

TEXTS = {
    "forge.facts": print_facts(
        facts(
            "at *.glob.test,api.forge.test /v1",
            "op GET /x/{y}/{+z} read x/get",
            "op POST /x/{y}:go?acl write x/go h=x-if",
            "op PUT /x/{y}.json write x/put",
        )
    ).encode()
}


def test_a_request_made_from_an_operation_comes_back_under_its_name() -> None:
    index = index_of(data.decode() for data in TEXTS.values())
    asked = asked_of(TEXTS, random.Random(1), 10)
    found = [index.look_up(each.host, each.method, each.segments, each.query, each.header_names) for each in asked]
    assert sorted(match.operation for match in found if match is not None) == ["x/get", "x/go", "x/put"]


def test_the_baseline_finds_the_same() -> None:
    naive = Naive(TEXTS, "api.forge.test")
    assert naive.look_up("GET", "/v1/x/a/b/c") == "x/get"
    assert naive.look_up("POST", "/v1/x/a:go") == "x/go"
    assert naive.look_up("PUT", "/v1/x/a.json") == "x/put"
    assert naive.look_up("PUT", "/v1/x/a") is None


def test_the_best_of_several_rounds_counts_and_shares_are_of_the_sorted() -> None:
    calls = [0, 0]

    def count(i: int) -> None:
        calls[i] += 1

    found = best([lambda: count(0), lambda: count(1)], 3)
    assert calls == [3, 3]
    assert found == sorted(found)
    assert [at([1.0, 2.0, 3.0, 4.0], share) for share in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]


def test_hostile_paths_are_long() -> None:
    assert max(len(each.segments) for each in hostile(["a.test"])) > 3000


def test_a_line_tells_its_unit_and_its_aim() -> None:
    assert str(Line(name="loading", value=0.25, unit="ms", aim=5)) == "- classify, loading: 0.25 ms (aim: under 5)"
    assert str(Line(name="making", value=12.0, unit="s")) == "- classify, making: 12 s"


def test_everything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify, "shipped_texts", lambda: TEXTS)
    monkeypatch.setattr(classify, "HOST", "api.forge.test")
    monkeypatch.setattr(classify, "hostile", lambda hosts: list(hostile(hosts))[:3])
    lines = measure(tmp_path, quick=True)
    assert all(line.value >= 0 for line in lines)
    assert {line.unit for line in lines} == {"µs", "ms", "s", "MB", "×"}
    assert anonymous() > 1
