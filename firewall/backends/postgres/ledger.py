"""The ledger: a batcher without a timer in front of `aaf.append`. What queued while the last batch committed goes in the next.

A batch whose commit was not confirmed (the connection broke) is sent again under the same batch number until the database
says what became of it, or the time for answers is over; the database never applies one twice, and never takes one writer's
late batch for another.
"""

import asyncio
import os
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import structlog

from firewall.approval import State
from firewall.audit.entry import encode
from firewall.backends.postgres.changes import encode as encode_change
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, ApprovalId, WriterId, from_uuid, to_uuid
from firewall.ports import Appended, Item, Lost, Outcome
from firewall.seal import Sealer

QUEUE_LIMIT = 10_000
BATCH_LIMIT = 256
ANSWER_SECONDS = 5.0
"""How long an append may take, queueing and reconnecting included, before its caller is told that the store is unavailable."""
NOTED_SECONDS = 0.05
"""How long what nobody waits for stays for a batch to ride along with."""
LEAVE_LIMIT = 10_000
PARTS = "audit-parts"

_APPEND = "select aaf.append($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_BROKEN = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

log = structlog.get_logger()

Connect = Callable[[], "asyncio.Future[asyncpg.Connection] | Any"]


@dataclass(slots=True)
class _Waiting:
    item: Item
    future: asyncio.Future[Outcome]
    deadline: float


class PostgresLedger:
    """Appends for one writer. Use from one event loop."""

    def __init__(self, connect: Connect, *, writer: WriterId, origin: str, sealer: Sealer) -> None:
        self._connect = connect
        self._writer = writer
        self._writer_uuid = to_uuid(writer)
        self._origin = origin
        self._sealer = sealer
        self._next_seq = 0
        self._connection: asyncpg.Connection | None = None
        self._queue: deque[_Waiting] = deque()
        self._noted: deque[_Waiting] = deque()
        self._noted_due: asyncio.TimerHandle | None = None
        self._leaving: list[uuid.UUID] = []
        self._sender: asyncio.Task[None] | None = None
        self._closed = False
        self.batches = 0
        self.entries = 0

    def append(self, item: Item) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        future = self._put(self._queue, item, loop)
        if not future.done():
            self._wake(loop)
        return future

    def note(self, item: Item) -> asyncio.Future[Outcome]:
        """Rides along with the next batch. A commit of its own would double what a request costs the database."""
        loop = asyncio.get_running_loop()
        future = self._put(self._noted, item, loop)
        if not future.done() and self._noted_due is None and self._sender is None:
            self._noted_due = loop.call_later(NOTED_SECONDS, self._send_noted)
        return future

    def _put(self, queue: "deque[_Waiting]", item: Item, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = loop.create_future()
        if self._closed:
            future.set_exception(LedgerUnavailable("the audit store is closed"))
        elif len(queue) >= QUEUE_LIMIT:
            future.set_exception(LedgerUnavailable("too many entries wait for the audit store"))
        else:
            queue.append(_Waiting(item, future, loop.time() + ANSWER_SECONDS))
        return future

    def _send_noted(self) -> None:
        self._noted_due = None
        if self._noted:
            self._wake(asyncio.get_running_loop())

    def leave(self, action_id: ActionId) -> None:
        if len(self._leaving) < LEAVE_LIMIT:  # beyond that the heartbeat's absence, or the process's end, says it
            self._leaving.append(to_uuid(action_id))
            self._wake(asyncio.get_running_loop())

    async def close(self, last: Item | None = None) -> None:
        """Waits for what is queued, writes `last` behind all of it, and ends. Later appends are refused. Raises LedgerUnavailable
        when `last` cannot be written."""
        self._closed = True
        loop = asyncio.get_running_loop()
        if self._noted_due is not None:
            self._noted_due.cancel()
        self._send_noted()
        if self._sender is not None:
            await self._sender
        try:
            if last is not None:
                ending = _Waiting(last, loop.create_future(), loop.time() + ANSWER_SECONDS)
                await self._send([ending])
                await ending.future
        finally:
            if self._connection is not None:
                await self._connection.close(timeout=2)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sender is None:
            self._sender = loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            while self._queue or self._noted or self._leaving:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_LIMIT))]
                batch += [self._noted.popleft() for _ in range(min(len(self._noted), BATCH_LIMIT - len(batch)))]
                if batch:
                    await self._send(batch)
                if self._leaving:
                    await self._say_left()
        finally:
            self._sender = None

    async def _send(self, batch: list[_Waiting]) -> None:
        """Sends one batch until its fate is known, and resolves its futures."""
        try:
            self._resolve(batch, await self._commit(batch))
        except LedgerUnavailable as error:
            _fail(batch, error)
        except asyncpg.PostgresError as error:
            if len(batch) > 1 and _is_about_data(error):
                # One caller's input must not refuse the others' entries.
                for waiting in batch:
                    await self._send([waiting])
                return
            log.error("ledger.refused", sqlstate=error.sqlstate, error=type(error).__name__, entries=len(batch))
            _fail(batch, LedgerUnavailable("the audit store refused the entry"))
        except Exception as error:
            log.exception("ledger.failed")
            _fail(batch, LedgerUnavailable(f"the audit store failed: {type(error).__name__}"))

    async def _commit(self, batch: list[_Waiting]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline = max(waiting.deadline for waiting in batch)
        number = uuid.UUID(bytes=os.urandom(16))
        arguments = self._arguments(batch)
        while True:
            try:
                connection = await self._connected()
                answer = await connection.fetchval(
                    _APPEND, self._writer_uuid, number, self._next_seq, *arguments, timeout=max(0.1, deadline - loop.time())
                )
                result: dict[str, Any] = orjson.loads(answer)
                return result
            except asyncpg.PostgresError as error:
                if error.sqlstate == "AAF02":
                    # A batch that we had given up on did commit: go on from where the database is.
                    self._next_seq = int(error.detail or 0)
                    continue
                if not isinstance(error, _BROKEN) and not (error.sqlstate or "").startswith(("57", "53", "08")):
                    raise
                log.warning("ledger.unavailable", sqlstate=error.sqlstate)
                await self._drop()
                if (error.sqlstate or "").startswith("53"):
                    raise LedgerUnavailable("the audit store is out of resources") from error
            except _BROKEN as error:
                log.warning("ledger.connection-lost", error=type(error).__name__)
                await self._drop()
            if loop.time() + 0.05 >= deadline:
                raise LedgerUnavailable("the audit store is unavailable")
            await asyncio.sleep(0.05)

    def _arguments(self, batch: list[_Waiting]) -> tuple[Any, ...]:
        at = datetime.now(UTC)
        heads: list[bytes] = []
        parts: list[bytes | None] = []
        events: list[str] = []
        items: list[int] = []
        settles: list[bool] = []
        changes: list[Any] = []
        for number, waiting in enumerate(batch):
            item = waiting.item
            changes.append(None if item.change is None else encode_change(item.change, self._sealer))
            for position, draft in enumerate(item.drafts):
                entry = encode(draft, origin=self._origin, writer=self._writer, at=at)
                heads.append(entry.head)
                parts.append(self._sealer.seal(PARTS, entry.salt, entry.parts) if entry.parts else None)
                events.append(draft.event.value)
                items.append(number)
                settles.append(position > 0 and item.change is not None)
        document = orjson.dumps(changes).decode() if any(change is not None for change in changes) else None
        return heads, parts, events, items, settles, document

    def _resolve(self, batch: list[_Waiting], result: dict[str, Any]) -> None:
        seq: int = result["first"]
        changes: dict[str, dict[str, Any]] = result["changes"]
        written = 0
        for number, waiting in enumerate(batch):
            drafts = len(waiting.item.drafts)
            change = changes.get(str(number)) if changes else None
            outcome: Outcome
            if change is None:
                outcome = Appended(seqs=tuple(range(seq, seq + drafts)))
                count = drafts
            elif "lost" in change:
                outcome, count = _lost(change), 0
            else:
                count = drafts if change.get("settled", True) else min(1, drafts)
                state = change.get("state")
                outcome = Appended(seqs=tuple(range(seq, seq + count)), state=State(state) if state else None)
            seq += count
            written += count
            if not waiting.future.done():
                waiting.future.set_result(outcome)
        self._next_seq += written
        self.batches += 1
        self.entries += written

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _say_left(self) -> None:
        leaving, self._leaving = self._leaving, []
        try:
            await (await self._connected()).execute("select aaf.leave($1)", leaving, timeout=ANSWER_SECONDS)
        except (asyncpg.PostgresError, *_BROKEN) as error:
            # Those who left stand in the queue of their approval until this process ends; the next to spend waits for them.
            log.warning("ledger.leave-failed", error=type(error).__name__)
            await self._drop()


def _is_about_data(error: asyncpg.PostgresError) -> bool:
    return (error.sqlstate or "")[:2] in {"22", "23", "P0", "AA"}


def _lost(change: dict[str, Any]) -> Lost:
    approval, action, state = change.get("approval_id"), change.get("action_id"), change.get("state")
    return Lost(
        code=change["lost"],
        approval_id=ApprovalId(from_uuid("apr", uuid.UUID(approval))) if approval else None,
        action_id=ActionId(from_uuid("act", uuid.UUID(action))) if action else None,
        state=State(state) if state else None,
    )


def _fail(batch: list[_Waiting], error: LedgerUnavailable) -> None:
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(error)
            waiting.future.exception()  # a caller that left (its client is gone) is not there to see it
