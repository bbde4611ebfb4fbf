"""Waiting on conditions, not on clocks. The limit is there so that a broken test ends; nothing is measured by it."""

import time
from collections.abc import Callable

import pytest


def until[T](condition: Callable[[], T], *, seconds: float = 30) -> T:
    """Returns the first true value of `condition`; fails the test when there is none in `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            pytest.fail(f"still not true after {seconds:g} s: {condition}")
        time.sleep(0.02)
