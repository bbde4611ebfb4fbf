"""What the worker asks of Postgres (sql/upkeep.sql)."""

from collections.abc import Sequence

import asyncpg

from firewall.backends.postgres import queries
from firewall.backends.postgres.down import DOWN
from firewall.errors import LedgerUnavailable
from firewall.ids import ApprovalId, from_uuid

ANSWER_SECONDS = 5.0
PARTITION_SECONDS = 30.0
"""Making a partition waits for whoever reads the table."""

_SQL = queries.load("upkeep.sql")


class PostgresUpkeep:
    """Every method raises LedgerUnavailable when the database does not answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def due(self, limit: int) -> Sequence[ApprovalId]:
        """Approvals past their time, the longest overdue first."""
        rows = await self._ask("due", limit)
        return [ApprovalId(from_uuid("apr", row["id"])) for row in rows]

    async def ensure_partitions(self) -> None:
        await self._ask("ensure_partitions", seconds=PARTITION_SECONDS)

    async def ping(self) -> None:
        await self._ask("ping")

    async def _ask(self, name: str, *arguments: object, seconds: float = ANSWER_SECONDS) -> list[asyncpg.Record]:
        try:
            async with self._pool.acquire(timeout=ANSWER_SECONDS) as connection:
                rows: list[asyncpg.Record] = await connection.fetch(_SQL[name], *arguments, timeout=seconds)
                return rows
        except DOWN as error:
            raise LedgerUnavailable(f"the database did not answer: {type(error).__name__}") from error
