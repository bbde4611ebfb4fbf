"""The users' catalogs that are in force, in memory: read again when the counter in `aaf.versions` moved, each text once."""

from collections.abc import Callable, Mapping

import asyncpg

from firewall.backends.postgres import queries

_SQL = queries.load("kept.sql")


class CatalogTexts:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._read: dict[object, str] = {}
        self._on_change: list[Callable[[], None]] = []
        self.texts: Mapping[str, str] = {}

    def on_change(self, callback: Callable[[], None]) -> None:
        self._on_change.append(callback)

    async def refresh(self) -> None:
        # A row never changes but to be removed, so a text that is there is kept; one that goes between the two questions has
        # moved the counter again.
        services = {row["id"]: row["service"] for row in await self._pool.fetch(_SQL["catalogs_in_force"], timeout=5)}
        missing = [each for each in services if each not in self._read]
        fresh = (
            {row["id"]: row["facts"] for row in await self._pool.fetch(_SQL["catalog_facts"], missing, timeout=10)}
            if missing
            else {}
        )
        read = {each: text for each in services if (text := fresh.get(each, self._read.get(each))) is not None}
        if read.keys() == self._read.keys():
            return
        self._read = read
        self.texts = {services[each]: text for each, text in read.items()}
        for callback in self._on_change:
            callback()
