"""A bell for each thing that people wait for. Whoever waits also polls: a ring may be lost (STYLE 20)."""

import asyncio
from collections import defaultdict
from contextlib import suppress


class Hint:
    """Take a `ticket` first, look at the table, then `wait`: a ring in between is not missed."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def ring(self, payload: str = "") -> None:
        """`payload`: the topic, perhaps with words after it. Empty: everything may have changed."""
        topic = payload.partition(" ")[0]
        for event in [self._events.pop(topic, None)] if topic else list(self._events.values()):
            if event is not None:
                event.set()
        if not topic:
            self._events.clear()

    def ticket(self, topic: str = "") -> asyncio.Event:
        return self._events[topic]

    @property
    def topics(self) -> int:
        return len(self._events)

    @staticmethod
    async def wait(ticket: asyncio.Event, seconds: float) -> None:
        """Until the ring, or for `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await ticket.wait()
