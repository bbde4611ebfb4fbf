"""Writes down what time did to approvals: a question nobody answered, a grant nobody spent (SEMANTICS 3).

Each change is conditional, so two workers, or one twice, write one `approval.expired`: the loser is told `not-expired`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from firewall.audit.events import expired
from firewall.errors import LedgerUnavailable
from firewall.ids import ApprovalId
from firewall.ports import Appended, ExpireApproval, Item, Ledger

EVERY_SECONDS = 1.0
BATCH = 200


async def expire_due(ledger: Ledger, due: Callable[[int], Awaitable[Sequence[ApprovalId]]], count: Callable[[int], None]) -> bool:
    """Expires up to `BATCH` approvals and says whether more may be due. `due(limit)` names those past their time; `count` is
    told how many this call expired. Raises LedgerUnavailable when any could not be written; the others are written."""
    ids = await due(BATCH)
    # Asked for together, they go to the chain in one commit.
    appends = [ledger.append(Item(drafts=(expired(i),), change=ExpireApproval(approval_id=i))) for i in ids]
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    count(sum(isinstance(outcome, Appended) for outcome in outcomes))
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            if isinstance(outcome, LedgerUnavailable):
                raise LedgerUnavailable(outcome.detail) from outcome
            raise outcome
    return len(ids) == BATCH
