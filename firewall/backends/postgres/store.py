"""One process's door to Postgres: what it appends with, what it reads with, what it listens to."""

import asyncio
import importlib.metadata
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

from firewall.audit.events import process_started, process_stopped
from firewall.backends.postgres.agents import AgentDirectory
from firewall.backends.postgres.approvals import PostgresApprovals
from firewall.backends.postgres.catalogs import CatalogTexts
from firewall.backends.postgres.ledger import PostgresLedger
from firewall.backends.postgres.listener import Listener
from firewall.backends.postgres.revisions import Revisions
from firewall.ids import WriterId, new_id, to_uuid
from firewall.ports import Item
from firewall.seal import Sealer
from firewall.settings import BadSettings

HEARTBEAT_SECONDS = 1.0
POOL_SIZE = 4

# Every role that it is or can become, and every partition: what is granted on one of those alone is granted all the same.
_ROLE = """
select exists (
    select from pg_roles r, pg_class c
    where pg_has_role(current_user, r.oid, 'member')
    and (c.oid = 'aaf.audit_log'::regclass
         or c.oid in (select inhrelid from pg_inherits where inhparent = 'aaf.audit_log'::regclass))
    and (r.rolsuper or r.oid = c.relowner or has_any_column_privilege(r.oid, c.oid, 'insert, update')
         or has_table_privilege(r.oid, c.oid, 'delete, truncate, trigger')))
"""

log = structlog.get_logger()


class UnsafeRole(Exception):
    """DATABASE_URL's role may write or own audit_log: it must only append and read."""


class Store:
    """Build with `Store.connect`. `process`: gateway, api or worker, as entries name it."""

    ledger: PostgresLedger
    agents: AgentDirectory
    approvals: PostgresApprovals
    revisions: Revisions
    catalogs: CatalogTexts

    def __init__(self, dsn: str, pool: asyncpg.Pool, *, sealer: Sealer, process: str, writer: WriterId, origin: str) -> None:
        self.pool = pool
        self.sealer = sealer
        self.origin = origin
        self.process = process
        self.writer = writer
        self.ledger = PostgresLedger(lambda: open_connection(dsn), writer=writer, origin=origin, sealer=sealer)
        self.agents = AgentDirectory(pool)
        self.approvals = PostgresApprovals(pool, sealer)
        self.revisions = Revisions(pool)
        self.catalogs = CatalogTexts(pool)
        self._listener = Listener(lambda: open_connection(dsn))
        self._polls: list[Callable[[], Awaitable[None]]] = []
        self._beat: asyncio.Task[None] | None = None
        self._versions: tuple[int, int, int] | None = None
        self._stale = asyncio.Event()
        self._closing = False

    @classmethod
    async def connect(cls, dsn: str, *, sealer: Sealer, process: str) -> "Store":
        """Raises BadSettings, UnsafeRole, or what asyncpg raises when the database is not there."""
        try:
            pool = await asyncpg.create_pool(dsn, min_size=1, max_size=POOL_SIZE, timeout=5, command_timeout=10)
        except ValueError:  # its message may quote what stands where a port should, which may be half a password
            raise BadSettings("DATABASE_URL: not the address of a Postgres database") from None
        store: Store | None = None
        try:
            if await pool.fetchval(_ROLE):
                raise UnsafeRole(UnsafeRole.__doc__)
            writer = WriterId(new_id("wrt", time.time_ns() // 1_000_000))
            origin = await pool.fetchval("select aaf.open_writer($1, $2)", to_uuid(writer), process)
            store = cls(dsn, pool, sealer=sealer, process=process, writer=writer, origin=origin)
            version = importlib.metadata.version("agent-action-firewall")
            await store.ledger.append(Item(drafts=(process_started(process, version),)))
            await store.refresh()
        except BaseException:
            if store is not None:
                await store._tried(store.ledger.close)
            await _end(pool)
            raise
        for channel in ("aaf_agents", "aaf_policy", "aaf_catalogs"):
            await store.listen(channel, lambda _payload: store._stale.set())
        store._listener.start()
        store._beat = asyncio.get_running_loop().create_task(store._keep_fresh())
        return store

    async def listen(self, channel: str, callback: Callable[[str], None]) -> None:
        """A hint may be lost, and an empty payload means "anything may have changed"; poll as well (`every_second`)."""
        await self._listener.subscribe(channel, callback)

    def every_second(self, poll: Callable[[], Awaitable[None]]) -> None:
        """`poll` runs about once a second, after the heartbeat; what it raises is logged and tried again."""
        self._polls.append(poll)

    async def refresh(self) -> None:
        """Reads agents, the active policy and the users' catalogs again, if they changed since."""
        row = await self.pool.fetchrow("select agents, policy, catalogs from aaf.versions")
        seen = (row["agents"], row["policy"], row["catalogs"])
        before = self._versions
        if before is None or before[0] != seen[0]:
            await self.agents.refresh()
        if before is None or before[1] != seen[1]:
            await self.revisions.refresh()
        if before is None or before[2] != seen[2]:
            await self.catalogs.refresh()
        self._versions = seen

    async def close(self) -> None:
        """Says that the process ends, as far as the database can be told, and gives everything back."""
        self._closing = True
        if self._beat is not None:
            self._stale.set()
            self._beat.cancel()  # which a connection that breaks at this moment makes an error of its own
            await asyncio.wait([self._beat])
        await self._listener.close()
        for last in (self._close_ledger, self._close_writer):
            await self._tried(last)
        await _end(self.pool)

    async def _close_ledger(self) -> None:
        await self.ledger.close(Item(drafts=(process_stopped(self.process),)))

    async def _close_writer(self) -> None:
        await self.pool.execute("select aaf.close_writer($1)", to_uuid(self.writer), timeout=5)

    async def _heartbeat(self) -> None:
        await self.pool.execute("select aaf.heartbeat($1)", to_uuid(self.writer), timeout=5)

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> None:
        """What fails must not keep the rest from running."""
        try:
            await work()
        except Exception as error:
            log.warning("store.failed", work=getattr(work, "__name__", "?").strip("_"), error=type(error).__name__)

    async def _keep_fresh(self) -> None:
        loop = asyncio.get_running_loop()
        next_beat = loop.time()
        while not self._closing:
            self._stale.clear()
            if loop.time() >= next_beat:
                next_beat = loop.time() + HEARTBEAT_SECONDS
                for work in (self._heartbeat, self.refresh, *self._polls):
                    await self._tried(work)
            else:
                await self._tried(self.refresh)
            try:
                async with asyncio.timeout(max(0.05, next_beat - loop.time())):
                    await self._stale.wait()
            except TimeoutError:
                continue


async def _end(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 5)
    except TimeoutError:
        pool.terminate()


async def open_connection(dsn: str) -> Any:
    return await asyncpg.connect(dsn, timeout=2, command_timeout=30)
