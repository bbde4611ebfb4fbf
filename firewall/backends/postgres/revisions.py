"""Policy revisions as the gateway needs them: does this revision exist, and what does it say of destinations?"""

from collections import OrderedDict

import asyncpg
import orjson

from firewall.backends.postgres import queries
from firewall.backends.postgres.down import DOWN
from firewall.egress import Destinations
from firewall.errors import EngineUnavailable
from firewall.policy import destinations

KEPT = 64

_SQL = queries.load("kept.sql")


class Revisions:
    """Revisions never change, so what was read once is kept."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._kept: OrderedDict[str, Destinations] = OrderedDict()
        self.active: str | None = None

    def kept(self, revision: str) -> Destinations | None:
        return self._kept.get(revision)

    async def find(self, revision: str) -> Destinations | None:
        """None for a revision that nobody stored: then its decisions count for nothing. Raises EngineUnavailable."""
        found = self._kept.get(revision)
        if found is None:
            try:
                data = await self._pool.fetchval(_SQL["policy_data"], revision, timeout=2)
            except DOWN as error:
                raise EngineUnavailable("the policy revision cannot be looked up") from error
            if data is None:
                return None
            found = self._keep(revision, data)
        return found

    async def refresh(self) -> None:
        row = await self._pool.fetchrow(_SQL["active_policy"], timeout=5)
        if row is not None:
            if row["revision"] not in self._kept:
                self._keep(row["revision"], row["data"])
            self.active = row["revision"]

    def _keep(self, revision: str, data: str) -> Destinations:
        found = self._kept[revision] = destinations(orjson.loads(data))
        if self.active is not None and self.active in self._kept:
            self._kept.move_to_end(self.active)  # every CONNECT asks for it in memory
        self._kept.move_to_end(revision)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found
