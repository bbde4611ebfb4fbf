"""Frames that move nothing are few, however small they are; keep-alives and what comes with data are no flood."""

import pytest

from gateway.http2_calm import A_SECOND, CHATTER, Calm


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_at_once_and_no_more(clock: Clock) -> None:
    calm = Calm(clock)
    for _ in range(CHATTER):
        calm.chatter()
        assert not calm.lost
    calm.chatter()
    assert calm.lost


def test_keep_alives_may_go_on_for_days(clock: Clock) -> None:
    calm = Calm(clock)
    for _ in range(10 * CHATTER):
        calm.chatter()
        clock.time += 1 / A_SECOND
        assert not calm.lost


def test_more_than_time_forgets_is_a_flood_that_is_only_later_noticed(clock: Clock) -> None:
    calm = Calm(clock)
    for _ in range(2 * CHATTER + 2):
        calm.chatter()
        clock.time += 0.5 / A_SECOND
    assert calm.lost


def test_a_ping_with_each_frame_of_data_is_no_flood(clock: Clock) -> None:
    calm = Calm(clock)
    for _ in range(10 * CHATTER):
        calm.moved()
        calm.chatter()
        assert not calm.lost


def test_what_moved_before_is_no_credit_for_a_flood(clock: Clock) -> None:
    calm = Calm(clock)
    for _ in range(10 * CHATTER):
        calm.moved()
    clock.time += 1_000_000
    for _ in range(CHATTER + 1):
        calm.chatter()
    assert calm.lost
