"""Upstream connections between two requests. One agent's are never another's, and none is used for another name, address or
protocol than it was dialled and checked for.

A connection comes back only when its last answer ended exactly; whatever it says while it is idle drops it; before it is lent it
is asked, without waiting, whether it has ended meanwhile.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mitmproxy import connection

from gateway.link import Link

PER_KEY = 64
ALL = 2048
IDLE_SECONDS = 30.0


class Key(NamedTuple):
    agent: str
    host: str
    port: int
    address: str
    tls: bool
    alpn: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Upstream:
    """One upstream connection. `server`: what mitmproxy's flows show of it. `used`: how many requests it has carried."""

    key: Key
    link: Link
    server: connection.Server
    used: int = 0
    idle_since: float = 0.0


class Pool:
    """`now`: seconds, monotonic."""

    def __init__(self, now: Callable[[], float], *, per_key: int = PER_KEY, most: int = ALL) -> None:
        self._now = now
        self._per_key = per_key
        self._most = most
        self._idle: dict[Key, deque[Upstream]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take(self, key: Key) -> Upstream | None:
        """The connection that was used last, if it still stands."""
        queue = self._idle.get(key)
        while queue:
            found = queue.pop()
            self._count -= 1
            if not queue:
                del self._idle[key]
            if found.link.quiet():
                return found
            found.link.abort()
        return None

    def put(self, upstream: Upstream) -> None:
        link = upstream.link
        if not link.open or link.congested or self._count >= self._most:
            link.owner = None
            link.close()
            return
        queue = self._idle.setdefault(upstream.key, deque())
        upstream.idle_since = self._now()
        link.owner = _Idle(self, upstream)
        queue.append(upstream)
        self._count += 1
        if len(queue) > self._per_key:
            self._drop(queue.popleft())

    def expire(self) -> None:
        """Ends what has been idle for too long; called about once a second."""
        old = self._now() - IDLE_SECONDS
        for key in list(self._idle):
            queue = self._idle[key]
            while queue and queue[0].idle_since < old:
                self._drop(queue.popleft())
            if not queue:
                del self._idle[key]

    def forget_agents(self, live: Callable[[str], bool]) -> None:
        """Ends the idle connections of agents that are no longer `live`."""
        for key in [key for key in self._idle if not live(key.agent)]:
            for upstream in self._idle.pop(key):
                self._drop(upstream)

    def close(self) -> None:
        self.forget_agents(lambda _agent: False)

    def _drop(self, upstream: Upstream) -> None:
        self._count -= 1
        upstream.link.owner = None
        upstream.link.close()

    def ended(self, upstream: Upstream) -> None:
        queue = self._idle.get(upstream.key)
        if queue is not None and upstream in queue:
            queue.remove(upstream)
            self._count -= 1
            if not queue:
                del self._idle[upstream.key]


@dataclass(slots=True)
class _Idle:
    """Owns a connection that nobody uses: it has nothing to say."""

    pool: Pool
    upstream: Upstream

    def received(self, link: Link, data: bytes) -> None:
        self.pool.ended(self.upstream)
        link.owner = None
        link.abort()

    def pressure(self, link: Link, high: bool) -> None:
        pass

    def lost(self, link: Link) -> None:
        self.pool.ended(self.upstream)
