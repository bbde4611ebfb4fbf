import pytest

from benchmarks.held import Released, released


def test_latencies_are_from_the_vote_to_the_first_byte_of_the_same_request() -> None:
    sent = {f"/held/x/{n}": 1_000_000 * n for n in range(1, 101)}
    seen = {path: at + (n + 1) * 100_000 for n, (path, at) in enumerate(sent.items())} | {"/held/other/1": 5}
    assert released(1000, sent, seen) == Released(held=1000, samples=100, p50=5.0, p99=9.9)


def test_an_approved_request_that_never_came_is_an_error() -> None:
    with pytest.raises(KeyError):
        released(1, {"/held/x/1": 1}, {})
