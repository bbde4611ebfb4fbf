"""Writes down what time ended: questions nobody answered, and grants nobody used."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from firewall.audit.events import expired
from firewall.ids import ApprovalId
from firewall.ports import ExpireApproval, Item, Ledger, Lost
from worker.metrics import Metrics

EVERY_SECONDS = 1.0
BATCH = 250

Due = Callable[[int], Awaitable[Sequence[ApprovalId]]]
"""At most so many approvals whose time is over and was not written down, the longest ago first."""


class Expiry:
    """Each expiry is conditional: where another worker was first, or a person decided, it is lost and nothing is written."""

    def __init__(self, due: Due, ledger: Ledger, metrics: Metrics, *, batch: int = BATCH) -> None:
        self._due = due
        self._ledger = ledger
        self._metrics = metrics
        self._batch = batch

    async def run(self) -> bool:
        """One batch; whether there may be more. Raises LedgerUnavailable and what `due` raises: the next run goes on."""
        found = await self._due(self._batch)
        items = [Item(drafts=(expired(approval),), change=ExpireApproval(approval_id=approval)) for approval in found]
        outcomes = await asyncio.gather(*(self._ledger.append(item) for item in items))
        self._metrics.expired.inc(sum(not isinstance(outcome, Lost) for outcome in outcomes))
        return len(found) == self._batch
