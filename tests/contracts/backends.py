"""The backends that must behave alike: what tests need of them beside the ports."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import asyncpg

from firewall.audit.chain import Row
from firewall.audit.events import process_started
from firewall.backends.memory.directory import MemoryAgents, MemoryApprovals, MemoryRevisions
from firewall.backends.memory.ledger import MemoryLedger
from firewall.backends.memory.state import Memory
from firewall.backends.postgres.store import Store
from firewall.catalogs import Catalogs
from firewall.ids import WriterId
from firewall.ports import Approvals, Holders, Item, Ledger, Revisions
from firewall.seal import Sealer
from tests.conftest import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process's view of what all share."""

    writer: WriterId
    ledger: Ledger
    approvals: Approvals
    agents: Holders
    revisions: Revisions
    catalogs: Catalogs


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    rows: tuple[Row, ...]
    size: int
    last_leaf: bytes


class Backend(Protocol):
    async def process(self) -> Process:
        """A further process, alive until `close` or `kill`."""
        ...

    async def pass_time(self, seconds: float) -> None: ...

    async def kill(self, process: Process) -> None:
        """The process is gone without a word."""
        ...

    async def stop(self, process: Process) -> None:
        """The process writes its last entry and ends."""
        ...

    async def chain(self) -> Chain: ...


class MemoryBackend:
    def __init__(self) -> None:
        self._later = timedelta()
        self._memory = Memory(lambda: datetime.now(UTC) + self._later)

    async def process(self) -> Process:
        writer = WriterId(f"wrt_{uuid.uuid4().hex}")
        ledger = MemoryLedger(self._memory, writer)
        await ledger.append(Item(drafts=(process_started("gateway", "0"),)))
        return Process(
            writer=writer,
            ledger=ledger,
            approvals=MemoryApprovals(self._memory),
            agents=MemoryAgents(self._memory),
            revisions=MemoryRevisions(self._memory),
            catalogs=self._memory.catalogs,
        )

    async def pass_time(self, seconds: float) -> None:
        self._later += timedelta(seconds=seconds)

    async def kill(self, process: Process) -> None:
        self._memory.gone.add(process.writer)

    async def stop(self, process: Process) -> None:
        assert isinstance(process.ledger, MemoryLedger)
        await process.ledger.close()

    async def chain(self) -> Chain:
        rows = tuple(self._memory.rows)
        return Chain(rows=rows, size=len(rows), last_leaf=rows[-1].leaf_hash)


def process_of(store: Store) -> Process:
    return Process(
        writer=store.writer,
        ledger=store.ledger,
        approvals=store.approvals,
        agents=store.agents,
        revisions=store.revisions,
        catalogs=store.catalogs,
    )


class PostgresBackend:
    """Times are moved by the superuser: what was an hour ago is two hours ago now."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self.database = database
        self._sealer = sealer
        self._stores: dict[WriterId, Store] = {}

    async def process(self) -> Process:
        store = await Store.connect(self.database.app_dsn, sealer=self._sealer, process="gateway")
        self._stores[store.writer] = store
        return process_of(store)

    async def pass_time(self, seconds: float) -> None:
        for table, columns in {
            "approvals": ("requested_at", "expires_at", "decided_at", "grant_until"),
            "approval_waiters": ("since",),
            "agent_tokens": ("expires_at",),
            "idempotency": ("at",),
        }.items():
            moved = ", ".join(f"{column} = {column} - make_interval(secs => {seconds})" for column in columns)
            await self.sql(f"update aaf.{table} set {moved}")
        await self.sql("update aaf.versions set agents = agents + 1")
        await self.sql("notify aaf_agents")

    async def kill(self, process: Process) -> None:
        self._stores[process.writer].pool.terminate()  # no heartbeat from here on
        await self.sql("update aaf.writers set alive_at = alive_at - interval '1 minute' where id = $1", _uuid(process.writer))

    async def stop(self, process: Process) -> None:
        await self._stores.pop(process.writer).close()

    async def chain(self) -> Chain:
        rows = await self.sql("select seq, event_hash, leaf_hash, body from aaf.audit_log order by seq")
        head = (await self.sql("select size, last_leaf from aaf.audit_head"))[0]
        return Chain(rows=tuple(Row(**row) for row in rows), size=head["size"], last_leaf=head["last_leaf"])

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()

    async def sql(self, query: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.database.super_dsn)
        try:
            rows: list[Any] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()


def _uuid(identifier: str) -> uuid.UUID:
    return uuid.UUID(hex=identifier.partition("_")[2])


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
