"""A connection ends when what is left of it is sent, or when its peer takes nothing more."""

import asyncio
from typing import Any, cast

import pytest

from gateway import ending


class Transport:
    """`takes`: how many bytes its peer takes before each look."""

    def __init__(self, left: int, takes: int) -> None:
        self.left, self.takes = left, takes
        self.told: list[str] = []

    def get_write_buffer_size(self) -> int:
        found, self.left = self.left, max(0, self.left - self.takes)
        return found

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")
        self.left = 0


@pytest.mark.parametrize(("left", "takes", "told"), [(0, 0, ["close"]), (5, 2, ["close"]), (5, 0, ["close", "abort"])])
async def test_it_waits_for_as_long_as_something_is_taken(
    left: int, takes: int, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "STALLED_SECONDS", 0.001)
    transport = Transport(left, takes)
    ending.close(cast(Any, transport))
    async with asyncio.timeout(10):
        while transport.left:
            await asyncio.sleep(0.001)
    assert transport.told == told
