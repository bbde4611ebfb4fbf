from datetime import UTC, datetime

from benchmarks.held import Released, Waits
from benchmarks.load import Result
from benchmarks.memory import Figure
from benchmarks.report import WIDTH, beside, machine, memory, table, waits, wrapped
from benchmarks.throughput import Cell, Measured


def _measured(cpu: dict[str, int], us: int, requests: int) -> Measured:
    measured = Measured()
    measured.add(Result(asked=requests, seconds=2.0, latencies=[us * 1000] * requests), cpu)
    return measured


FOUND = {
    Cell(kind="https", method="GET", concurrency=16): {
        "firewall": _measured({"gateway": 100_000, "opa": 20_000, "postgres": 10_000, "beside": 30_000}, 4_000, 100),
        "mitmdump": _measured({"gateway": 100_000}, 8_000, 50),
    }
}


def test_a_row_tells_both_and_their_ratios() -> None:
    head, rule, row = table(FOUND).splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "HTTPS, kept, GET", "16", "50", "25", "2.00", "1000", "2000", "0.50", "200", "100", "1300", "4.0", "8.0", "4.0", "8.0",
    ]  # fmt: skip


def test_what_runs_beside_is_told_as_a_share_of_a_core() -> None:
    assert "used 1.5 % of one core (at most 1.5 %)" in beside(FOUND)


def test_waits_are_told_with_what_they_include() -> None:
    (line,) = waits(Waits(released=[Released(held=1000, samples=200, p50=7.25, p99=12.0)], bytes_each=0)).splitlines()
    assert line.startswith("- approve to release with 1,000 held: p50 7.2 ms, p99 12.0 ms (200 samples; from just before")


def test_memory_is_told_with_its_limit_and_whether_that_was_missed() -> None:
    figures = [Figure(name="10,000 requests held", value=400.04, limit=1024), Figure(name="an upload", value=10.1, limit=10)]
    assert memory(figures).splitlines() == [
        "- memory, 10,000 requests held: 400.0 MB (limit 1024)",
        "- memory, an upload: 10.1 MB (limit 10, MISSED)",
    ]


def test_the_machine_and_the_versions_are_named() -> None:
    text = machine(datetime(2026, 1, 2, tzinfo=UTC), {"OPA": "1.21.1"})
    assert text.startswith("2026-01-02, ")
    assert "; OPA 1.21.1. " in text


def test_long_lines_are_wrapped_and_tables_are_not() -> None:
    row = "| " + "x " * 100 + "|"
    text = f"{'word ' * 60}\n\n{row}\n- {'point ' * 40}\n"
    lines = wrapped(text).splitlines()
    assert row in lines
    assert all(len(line) <= WIDTH for line in lines if line != row)
    assert [line[:2] for line in lines if "point" in line] == ["- ", "  "]
    assert "" in lines
