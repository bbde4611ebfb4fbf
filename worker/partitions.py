"""Makes the partitions of `actions` for the months ahead, before they are needed."""

from collections.abc import Awaitable, Callable

EVERY_SECONDS = 24 * 3600.0


class Partitions:
    """`ensure` makes what is missing, and nothing twice."""

    def __init__(self, ensure: Callable[[], Awaitable[object]]) -> None:
        self._ensure = ensure

    async def run(self) -> bool:
        await self._ensure()
        return False
