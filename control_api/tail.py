"""The chain as a live feed: one tailer for all subscribers, which polls only while there are any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from control_api.metrics import Metrics
from firewall.errors import LedgerUnavailable
from firewall.reads import EntryRecord, Reads

POLL_SECONDS = 0.3
BATCH = 500
QUEUE = 1000
SUBSCRIBERS = 200

log = structlog.get_logger()


class TooManySubscribers(Exception):
    """There are as many event streams as there may be."""


class Subscriber:
    """`entries` is bounded; one that falls behind is `dropped`, and must come again with its last position."""

    def __init__(self) -> None:
        self.entries: asyncio.Queue[EntryRecord] = asyncio.Queue(QUEUE)
        self.dropped = False


class Tail:
    def __init__(self, reads: Reads, metrics: Metrics) -> None:
        self._reads = reads
        self._metrics = metrics
        self._subscribers: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self.next_seq = 0

    @property
    def following(self) -> bool:
        return self._task is not None

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscriber]:
        """Entries from `next_seq`, as it is once this has begun. Raises TooManySubscribers, LedgerUnavailable."""
        if len(self._subscribers) >= SUBSCRIBERS:
            raise TooManySubscribers(TooManySubscribers.__doc__)
        subscriber = Subscriber()
        if self._task is None:
            size = (await self._reads.head()).size
            if self._task is None:
                self.next_seq = size
                self._task = asyncio.get_running_loop().create_task(self._follow())
        self._subscribers.add(subscriber)
        self._metrics.subscribers.set(len(self._subscribers))
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self._metrics.subscribers.set(len(self._subscribers))

    async def _follow(self) -> None:
        try:
            while self._subscribers:
                try:
                    rows = await self._reads.chain(self.next_seq, BATCH)
                except LedgerUnavailable:
                    rows = []  # the database is away; the subscribers keep waiting, and miss nothing when it is back
                for row in rows:
                    self._hand_out(row)
                    self.next_seq = row.seq + 1
                if len(rows) < BATCH:
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            self._task = None

    def _hand_out(self, row: EntryRecord) -> None:
        for subscriber in self._subscribers:
            if subscriber.dropped:
                continue
            try:
                subscriber.entries.put_nowait(row)
            except asyncio.QueueFull:
                subscriber.dropped = True
                self._metrics.dropped.inc()
                log.warning("tail.subscriber-dropped", at=row.seq)
