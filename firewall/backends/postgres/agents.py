"""Who an agent's token belongs to. Kept in memory, refreshed by NOTIFY and by a poll of one row behind it; a token that is not
known is looked up once, so that an agent may use what it was given a moment ago."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import structlog

from firewall.backends.postgres.down import DOWN
from firewall.errors import LedgerUnavailable
from firewall.ids import AgentId, TokenId, from_uuid
from firewall.ports import Agent, Credential

LOOKUPS_AT_ONCE = 4
LOOKUPS_WAITING = 64

_ALL = """
select t.hash, t.id as token_id, t.expires_at, a.id, a.name, a.hold_seconds
from aaf.agent_tokens t join aaf.agents a on a.id = t.agent_id
where t.revoked_at is null and a.disabled_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())
"""
_ONE = _ALL + " and t.hash = $1"

log = structlog.get_logger()


class AgentDirectory:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: dict[bytes, Credential] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._waiting = 0
        self._refreshed = 0
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, callback: Callable[[], None]) -> None:
        self._on_change.append(callback)

    def known(self, name: str, token: str) -> Credential | None:
        """What is in memory, without asking the database. `name`: the agent's name or id."""
        return _named(name, self._live(token))

    def is_live(self, credential: Credential) -> bool:
        """Whether a credential that was good still is: for every request, and while one is held."""
        current = self._known.get(credential.token_hash)
        return current is not None and current.token_id == credential.token_id and current.live_at(datetime.now(UTC))

    async def find(self, name: str, token: str) -> Credential | None:
        """Raises LedgerUnavailable when the database cannot be asked, or is asked too often about tokens nobody knows."""
        return _named(name, await self.holder(token))

    async def holder(self, token: str) -> Credential | None:
        """Raises LedgerUnavailable, as `find` does."""
        found = self._live(token)
        if found is not None:
            return found
        if self._waiting >= LOOKUPS_WAITING:
            raise LedgerUnavailable("too many unknown credentials at once")
        self._waiting += 1
        try:
            async with self._lookups:
                row = await self._look(_hash(token))
        except DOWN as error:
            raise LedgerUnavailable("agents cannot be looked up") from error
        finally:
            self._waiting -= 1
        if row is None:
            return None
        credential = _credential(row)
        self._known[credential.token_hash] = credential
        return self._live(token)

    async def refresh(self) -> None:
        rows = await self._pool.fetch(_ALL, timeout=5)
        self._known = {bytes(row["hash"]): _credential(row) for row in rows}
        self._refreshed += 1
        for callback in self._on_change:
            callback()

    async def _look(self, token_hash: bytes) -> asyncpg.Record | None:
        while True:
            before = self._refreshed
            row = await self._pool.fetchrow(_ONE, token_hash, timeout=2)
            if before == self._refreshed:
                return row
            # What was read may be older than the refresh: to keep it could bring back a token that was revoked meanwhile.

    def _live(self, token: str) -> Credential | None:
        credential = self._known.get(_hash(token))
        return credential if credential is not None and credential.live_at(datetime.now(UTC)) else None


def _named(name: str, credential: Credential | None) -> Credential | None:
    return credential if credential is not None and name in (credential.agent.name, credential.agent.id) else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _credential(row: asyncpg.Record) -> Credential:
    agent = Agent(id=AgentId(from_uuid("agt", row["id"])), name=row["name"], enabled=True, hold_seconds=row["hold_seconds"])
    return Credential(
        agent=agent,
        token_id=TokenId(from_uuid("tok", row["token_id"])),
        token_hash=bytes(row["hash"]),
        expires_at=row["expires_at"],
    )
