"""Reading approvals. They change only through the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import orjson

from firewall.approval import Approval, State
from firewall.backends.postgres.changes import SUMMARY
from firewall.backends.postgres.down import DOWN
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, AgentId, ApprovalId, from_uuid, to_uuid
from firewall.seal import Sealer
from firewall.verdict import Terms

COLUMNS = """
id, state, digest, agent, agent_id, action_id, name, kind, risk, method, host, reason, rules, revision, quorum, approvers,
expires_in, grant_for, requested_at, expires_at, decided_at, decided_by, comment, grant_until, spent_by
"""
_GET = f"select {COLUMNS}, clock_timestamp() as now from aaf.approvals where id = $1"  # noqa: S608 (constants)
_STATES = """
select id, case
    when state = 'pending' and clock_timestamp() >= expires_at then 'expired'
    when state = 'approved' and clock_timestamp() >= grant_until then 'expired'
    else state end as state
from aaf.approvals where id = any ($1)
"""


class PostgresApprovals:
    def __init__(self, pool: asyncpg.Pool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def get(self, approval_id: ApprovalId) -> Approval | None:
        try:
            row = await self._pool.fetchrow(_GET, to_uuid(approval_id), timeout=5)
        except DOWN as error:
            raise LedgerUnavailable("the approval cannot be read") from error
        return None if row is None else approval(row)

    async def states(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, State]:
        try:
            rows = await self._pool.fetch(_STATES, [to_uuid(i) for i in ids], timeout=5)
        except DOWN as error:
            raise LedgerUnavailable("the approvals cannot be read") from error
        return {ApprovalId(from_uuid("apr", row["id"])): State(row["state"]) for row in rows}

    def open_summary(self, approval_id: ApprovalId, sealed: bytes) -> dict[str, Any]:
        """What the approver reads: what `OpenApproval.summary` was. Raises Unsealable."""
        summary: dict[str, Any] = orjson.loads(self._sealer.open(SUMMARY, approval_id, sealed))
        return summary


def approval(row: asyncpg.Record) -> Approval:
    return Approval(
        id=ApprovalId(from_uuid("apr", row["id"])),
        state=State(row["state"]),
        digest="sha256:" + row["digest"].hex(),
        agent=row["agent"],
        agent_id=AgentId(from_uuid("agt", row["agent_id"])),
        action_id=ActionId(from_uuid("act", row["action_id"])),
        name=row["name"],
        kind=row["kind"],
        risk=row["risk"],
        method=row["method"],
        host=row["host"],
        reason=row["reason"],
        rules=tuple(row["rules"]),
        revision=row["revision"],
        terms=Terms(
            quorum=row["quorum"],
            approvers=tuple(row["approvers"]),
            expires_in=row["expires_in"],
            grant_for=row["grant_for"],
        ),
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        grant_until=row["grant_until"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        comment=row["comment"],
        spent_by=None if row["spent_by"] is None else ActionId(from_uuid("act", row["spent_by"])),
    )
