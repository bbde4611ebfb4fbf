from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.load import Result
from benchmarks.place import Place, destination
from benchmarks.system import Target
from benchmarks.throughput import Cell, Measured, cells, percentile, run


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with destination(tmp_path) as found:
        yield found


def _proxy(place: Place) -> Target:
    """The destination answers requests in absolute form too, so for plain HTTP it passes for a proxy."""
    return Target(name="itself", proxy_port=place.http, ca_file="", credentials=["a:x", "b:x", "c:x"], parts={"gateway": []})


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 0.5, 7),
        ([7], 0.99, 7),
        ([3, 1, 2], 0.5, 2),
        ([4, 3, 2, 1], 0.5, 2),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 201)), 0.99, 198),
        (list(range(1, 12)), 0.99, 11),
    ],
)
def test_percentiles_are_values_by_nearest_rank(values: list[int], share: float, expected: int) -> None:
    assert percentile(values, share) == expected


def test_every_kind_method_and_concurrency_is_measured() -> None:
    assert len(set(cells(quick=False))) == 24
    assert {cell.concurrency for cell in cells(quick=False)} == {1, 16, 64}
    assert {(cell.kind, cell.method) for cell in cells(quick=True)} == {(cell.kind, cell.method) for cell in cells(quick=False)}


def test_rounds_are_told_by_their_medians() -> None:
    measured = Measured()
    for us in (100, 900, 200):
        result = Result(asked=12, seconds=2.0, latencies=[1000] * 10)
        measured.add(result, {"gateway": us, "opa": 50, "postgres": 30, "beside": 2000})
    assert (measured.rate, measured.of("gateway"), measured.total_cpu) == (5.0, 20.0, 28.0)
    assert measured.beside == [1000.0, 1000.0, 1000.0]


def test_a_round_counts_its_answers_and_those_that_warmed_up(place: Place) -> None:
    result, cpu = run(_proxy(place), place, Cell(kind="http", method="POST", concurrency=2), 0.2)
    assert result.asked == len(result.latencies) + 3
    assert cpu == {"gateway": 0}


def test_an_answer_other_than_200_ends_the_bench(place: Place) -> None:
    class Refusing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's output stays clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            target = Target(name="refusing", proxy_port=server.server_port, ca_file="", credentials=["a:x"], parts={"gateway": []})
            with pytest.raises(SystemExit, match=r"FAILED: refusing answered otherwise than 200: \[403"):
                run(target, place, Cell(kind="http", method="GET", concurrency=1), 0.2)
        finally:
            server.shutdown()
            serving.join()


def test_a_connection_that_breaks_ends_the_bench(place: Place) -> None:
    """A TLS port ends the connection of whoever speaks plain HTTP to it."""
    target = Target(name="lost", proxy_port=place.https, ca_file="", credentials=["a:x"], parts={"gateway": []})
    with pytest.raises(SystemExit, match="FAILED: the load on lost broke off"):
        run(target, place, Cell(kind="http", method="GET", concurrency=1), 0.2)
