"""Makes the partitions of `actions` before their months begin. The chain's own are made as it grows, by `aaf.append`."""

from collections.abc import Awaitable, Callable

EVERY_SECONDS = 3600.0


async def make_ahead(ensure: Callable[[], Awaitable[None]]) -> bool:
    """`ensure` makes this month's and the next two; those that exist stay as they are. Nothing is ever left to do."""
    await ensure()
    return False
