"""What the API reads, from Postgres (sql/reads.sql). Plain selects: the application's role can do no more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import orjson
import structlog

from firewall.approval import Approval, State
from firewall.audit.entry import open_parts
from firewall.backends.postgres import queries
from firewall.backends.postgres.approvals import approval as to_approval
from firewall.backends.postgres.changes import SUMMARY
from firewall.backends.postgres.down import DOWN
from firewall.backends.postgres.ledger import PARTS
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, AgentId, ApprovalId, CatalogId, KeyId, TokenId, from_uuid, to_uuid
from firewall.reads import (
    ActionFilter,
    ActionRecord,
    AgentRecord,
    ApprovalDetail,
    CatalogRecord,
    Claim,
    EntryFilter,
    EntryRecord,
    Head,
    KeyRecord,
    PolicyRecord,
    VoteRecord,
)
from firewall.seal import Sealer, Unsealable

ANSWER_SECONDS = 5.0

_SQL = queries.load("reads.sql")
_STORED_AS = {State.EXPIRED: [State.EXPIRED, State.PENDING, State.APPROVED]}

log = structlog.get_logger()


class PostgresReads:
    def __init__(self, pool: asyncpg.Pool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def ping(self) -> None:
        await self._rows("ping")

    async def key(self, key_hash: bytes) -> KeyRecord | None:
        return _one(await self._rows("key_by_hash", key_hash), _key)

    async def key_by_id(self, key_id: KeyId) -> KeyRecord | None:
        return _one(await self._rows("key_by_id", to_uuid(key_id)), _key)

    async def keys(self, *, before: KeyId | None, limit: int) -> Sequence[KeyRecord]:
        return [_key(row) for row in await self._rows("keys", _uuid(before), limit)]

    async def agents(self, *, before: AgentId | None, limit: int) -> Sequence[AgentRecord]:
        return [_agent(row) for row in await self._rows("agents", _uuid(before), limit)]

    async def agent(self, agent_id: AgentId) -> AgentRecord | None:
        return _one(await self._rows("agent", to_uuid(agent_id)), _agent)

    async def actions(self, which: ActionFilter, *, before: ActionId | None, limit: int) -> Sequence[ActionRecord]:
        rows = await self._rows(
            "actions", _uuid(before), which.agent, _uuid(which.agent_id), which.name, which.effect, which.host, which.source,
            _uuid(which.approval_id), limit,
        )  # fmt: skip
        return [self._action(row) for row in rows]

    async def action(self, action_id: ActionId) -> ActionRecord | None:
        return _one(await self._rows("action", to_uuid(action_id)), self._action)

    async def claim(self, agent_id: AgentId, key: str) -> Claim | None:
        rows = await self._rows("claim", to_uuid(agent_id), key)
        return _one(
            rows,
            lambda row: Claim(params_hash=bytes(row["params_hash"]), action_id=ActionId(from_uuid("act", row["action_id"]))),
        )

    async def approvals(self, status: State | None, *, before: ApprovalId | None, limit: int) -> Sequence[Approval]:
        stored = None if status is None else [state.value for state in _STORED_AS.get(status, [status])]
        wanted = None if status is None else status.value
        return [to_approval(row) for row in await self._rows("approvals", stored, wanted, _uuid(before), limit)]

    async def approval(self, approval_id: ApprovalId) -> ApprovalDetail | None:
        row = _one(await self._rows("approval", to_uuid(approval_id)), lambda found: found)
        if row is None:
            return None
        votes = await self._rows("votes", to_uuid(approval_id))
        return ApprovalDetail(
            approval=to_approval(row),
            summary=self._summary(approval_id, row),
            votes=tuple(VoteRecord(voter=v["voter"], choice=v["choice"], comment=v["comment"], at=v["at"]) for v in votes),
        )

    async def summaries(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, Mapping[str, Any]]:
        rows = await self._rows("summaries", [to_uuid(each) for each in ids])
        named = ((ApprovalId(from_uuid("apr", row["id"])), row) for row in rows)
        opened = ((approval_id, self._summary(approval_id, row)) for approval_id, row in named)
        return {approval_id: summary for approval_id, summary in opened if summary is not None}

    def _summary(self, approval_id: ApprovalId, row: asyncpg.Record) -> dict[str, Any] | None:
        try:
            summary: dict[str, Any] = orjson.loads(self._sealer.open(SUMMARY, approval_id, bytes(row["sealed"])))
        except Unsealable as error:
            log.warning("reads.unsealable", approval=approval_id, error=str(error))
            return None
        return summary

    async def approval_now(self, approval_id: ApprovalId) -> Approval | None:
        return _one(await self._rows("approval", to_uuid(approval_id)), to_approval)

    async def pending_count(self, agent_id: AgentId) -> int:
        rows = await self._rows("pending_count", to_uuid(agent_id))
        return int(rows[0]["count"])

    async def policies(self, *, before: datetime | None, limit: int) -> Sequence[PolicyRecord]:
        return [_policy(row) for row in await self._rows("policies", before, limit)]

    async def active_policy(self) -> PolicyRecord | None:
        return _one(await self._rows("active_policy"), _policy)

    async def active_revision(self) -> str | None:
        return _one(await self._rows("active_revision"), lambda row: str(row["revision"]))

    async def catalogs(self, *, before: CatalogId | None, limit: int) -> Sequence[CatalogRecord]:
        return [_catalog(row) for row in await self._rows("catalogs", _uuid(before), limit)]

    async def catalog(self, service: str) -> CatalogRecord | None:
        return _one(await self._rows("catalog", service), _catalog)

    async def entries(self, which: EntryFilter, *, above: int, below: int, limit: int) -> Sequence[EntryRecord]:
        texts = [orjson.dumps(text) for text in which.mentions]
        first = max(above, which.from_seq)
        return [_entry(row) for row in await self._rows("entries", first, below, which.event, texts, limit)]

    async def chain(self, first: int, limit: int) -> Sequence[EntryRecord]:
        return [_entry(row) for row in await self._rows("chain", first, limit)]

    async def head(self) -> Head:
        row = (await self._rows("head"))[0]
        return Head(origin=row["origin"], size=row["size"], last_leaf=bytes(row["last_leaf"]))

    async def ca_pem(self) -> str | None:
        return _one(await self._rows("ca_pem"), lambda row: str(row["cert_pem"]))

    async def _rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        try:
            async with self._pool.acquire(timeout=ANSWER_SECONDS) as connection:
                rows: list[asyncpg.Record] = await connection.fetch(_SQL[query], *arguments, timeout=ANSWER_SECONDS)
                return rows
        except DOWN as error:
            log.warning("reads.failed", query=query, error=type(error).__name__)
            raise LedgerUnavailable("the database cannot be read") from error

    def _action(self, row: asyncpg.Record) -> ActionRecord:
        spent_by = row["approval_spent_by"]
        return ActionRecord(
            id=ActionId(from_uuid("act", row["id"])),
            at=row["at"],
            agent_id=AgentId(from_uuid("agt", row["agent_id"])),
            agent=row["agent"],
            name=row["name"],
            kind=row["kind"],
            risk=row["risk"],
            method=row["method"],
            scheme=row["scheme"],
            host=row["host"],
            port=row["port"],
            source=row["source"],
            effect=row["effect"],
            code=row["code"],
            rules=tuple(row["rules"]),
            revision=row["revision"],
            approval_id=None if row["approval_id"] is None else ApprovalId(from_uuid("apr", row["approval_id"])),
            decided_seq=row["decided_seq"],
            outcome=row["outcome"],
            status=row["status"],
            request_bytes=row["request_bytes"],
            response_bytes=row["response_bytes"],
            duration_ms=row["duration_ms"],
            parts=self._parts(row["body"], row["sealed"]),
            approval_state=None if row["approval_state"] is None else State(row["approval_state"]),
            approval_spent_by=None if spent_by is None else ActionId(from_uuid("act", spent_by)),
        )

    def _parts(self, body: bytes | None, sealed: bytes | None) -> dict[str, bytes] | None:
        if body is None or sealed is None:
            return None
        try:
            salt = orjson.loads(body)["salt"]
            opened = self._sealer.open(PARTS, salt, bytes(sealed))
            return {label: part for label, (_, part) in open_parts(opened).items()}
        except (Unsealable, ValueError, KeyError, TypeError) as error:
            # A body that someone changed must not keep the rest from being read; `audit verify` is what names it.
            log.warning("reads.unsealable", error=type(error).__name__)
            return None


def _one[T](rows: Sequence[asyncpg.Record], make: Any) -> T | None:
    return make(rows[0]) if rows else None


def _uuid(identifier: str | None) -> Any:
    return None if identifier is None else to_uuid(identifier)


def _key(row: asyncpg.Record) -> KeyRecord:
    return KeyRecord(
        id=KeyId(from_uuid("key", row["id"])),
        role=row["role"],
        name=row["name"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _agent(row: asyncpg.Record) -> AgentRecord:
    return AgentRecord(
        id=AgentId(from_uuid("agt", row["id"])),
        name=row["name"],
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        hold_seconds=row["hold_seconds"],
        live_tokens=tuple(TokenId(from_uuid("tok", token)) for token in row["live_tokens"]),
    )


def _policy(row: asyncpg.Record) -> PolicyRecord:
    return PolicyRecord(
        revision=row["revision"],
        author=row["author"],
        message=row["message"],
        created_at=row["created_at"],
        activated_at=row["activated_at"],
        document=row["document"],
    )


def _catalog(row: asyncpg.Record) -> CatalogRecord:
    return CatalogRecord(
        id=CatalogId(from_uuid("cat", row["id"])),
        service=row["service"],
        revision=row["revision"],
        hosts=tuple(row["hosts"]),
        operations=row["operations"],
        added_by=row["added_by"],
        added_at=row["added_at"],
        facts=row["facts"],
    )


def _entry(row: asyncpg.Record) -> EntryRecord:
    return EntryRecord(
        seq=row["seq"],
        event=row["event"],
        event_hash=bytes(row["event_hash"]),
        leaf_hash=bytes(row["leaf_hash"]),
        body=bytes(row["body"]),
    )
