"""How much a peer of HTTP/2 may chatter: frames that cost it nothing, cost us work and an answer, and move nothing (CVE-2019-9512,
CVE-2019-9513, CVE-2019-9515). Their bytes are bounded elsewhere; here it is their number."""

from collections.abc import Callable

CHATTER = 500
"""How many such frames may come at once."""
A_SECOND = 50.0
"""How many of them are forgotten in a second: keep-alives go on for days."""


class Calm:
    """`now`: seconds, monotonic."""

    __slots__ = ("_count", "_now", "_since")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since = now()
        self._count = 0.0

    def chatter(self) -> None:
        """A frame that moves nothing came."""
        now = self._now()
        self._count = max(0.0, self._count - (now - self._since) * A_SECOND) + 1
        self._since = now

    def moved(self) -> None:
        """A frame moved something, either way. It is worth one that does not: gRPC measures its way by a PING with the data."""
        if self._count:
            self._count = max(0.0, self._count - 1)

    @property
    def lost(self) -> bool:
        return self._count > CHATTER
