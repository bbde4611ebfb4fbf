"""What the worker asks of Postgres (sql/upkeep.sql)."""

from collections.abc import Sequence

import asyncpg

from firewall.backends.postgres import queries
from firewall.ids import ApprovalId, from_uuid

ANSWER_SECONDS = 5.0

_SQL = queries.load("upkeep.sql")


class Upkeep:
    """Every method raises what asyncpg raises when the database cannot be asked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def ping(self) -> None:
        await self._pool.execute(_SQL["ping"], timeout=ANSWER_SECONDS)

    async def due(self, limit: int) -> Sequence[ApprovalId]:
        rows = await self._pool.fetch(_SQL["due"], limit, timeout=ANSWER_SECONDS)
        return [ApprovalId(from_uuid("apr", row["id"])) for row in rows]

    async def ensure_action_partitions(self) -> None:
        await self._pool.execute(_SQL["ensure_action_partitions"], timeout=30)
