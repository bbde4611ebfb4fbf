"""What came back, or that nothing did. Nobody waits for this entry, so what the ledger refuses is kept and tried again."""

import asyncio
from collections import deque
from hashlib import sha256

import structlog

from addons import metrics
from addons.passage import Passage, Step
from addons.services import Services
from firewall.audit import events
from firewall.audit.entry import Draft
from firewall.errors import LedgerUnavailable
from firewall.ports import Item, Outcome

UNSETTLED_LIMIT = 10_000

log = structlog.get_logger()


class Settle(Step):
    name = "settle"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._unsettled: deque[Draft] = deque()

    def __call__(self, passage: Passage) -> None:
        if passage.settled or not passage.owes_outcome:
            return
        passage.settled = True
        action = passage.with_action()
        failure = passage.failure
        self._append(
            events.settled(
                action.id,
                action.agent_id,
                failure=None if failure is None else failure.code,
                status=passage.status,
                request_bytes=passage.request_bytes,
                response_bytes=passage.response_bytes,
                duration_ms=int((self.services.clock() - passage.started) * 1000),
                body_sha256=_digest(passage) if passage.request_bytes and not action.opaque else None,
            )
        )

    async def again(self) -> None:
        """Tries what the ledger refused; called about once a second."""
        for _ in range(len(self._unsettled)):
            self._append(self._unsettled.popleft())

    def __len__(self) -> int:
        return len(self._unsettled)

    def _append(self, draft: Draft) -> None:
        future = asyncio.ensure_future(self.services.ledger.note(Item(drafts=(draft,))))
        future.add_done_callback(lambda done: self._done(done, draft))

    def _done(self, future: "asyncio.Future[Outcome]", draft: Draft) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            return
        if not isinstance(error, LedgerUnavailable):
            log.error("settle.failed", error=type(error).__name__)
        if len(self._unsettled) < UNSETTLED_LIMIT:
            self._unsettled.append(draft)
        else:
            metrics.LOST.inc()
            log.error("settle.lost", entry=draft.event.value, action=draft.fields.get("action"))


def _digest(passage: Passage) -> bytes:
    """SHA-256 of the request's body; what a WebSocket carries is none."""
    digest: bytes = (passage.request_hash or sha256()).digest()
    return digest
