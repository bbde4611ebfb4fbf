"""The chain in memory: one append at a time, as `aaf.append` does it (postgres/migrations/0003_append.sql)."""

import asyncio
import hashlib

from firewall.audit.chain import GENESIS, Row, leaf_hash
from firewall.audit.entry import complete, encode
from firewall.backends.memory.state import Memory
from firewall.errors import LedgerUnavailable
from firewall.ids import ActionId, WriterId
from firewall.ports import Appended, Item, Lost, Outcome


class MemoryLedger:
    """Appends for one writer."""

    def __init__(self, memory: Memory, writer: WriterId) -> None:
        self._memory = memory
        self._writer = writer
        self._next_seq = 0

    def note(self, item: Item) -> asyncio.Future[Outcome]:
        return self.append(item)

    def append(self, item: Item) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._writer in self._memory.gone:
            future.set_exception(LedgerUnavailable("the audit store is closed"))
        else:
            future.set_result(self._append(item))
        return future

    def leave(self, action_id: ActionId) -> None:
        self._memory.waiters.pop(action_id, None)

    async def close(self) -> None:
        """The process has written its last entry, and nobody waits in it any more."""
        self._memory.gone.add(self._writer)

    def _append(self, item: Item) -> Outcome:
        memory, drafts, state = self._memory, item.drafts, None
        if item.change is not None:
            done = memory.apply(self._writer, item.change)
            if isinstance(done, Lost):
                return done
            drafts, state = drafts if done.settled else drafts[:1], done.state
        first = len(memory.rows)
        for draft in drafts:
            head = encode(draft, origin=memory.origin, writer=self._writer, at=memory.clock()).head
            body = complete(head, self._next_seq)
            self._next_seq += 1
            event_hash = hashlib.sha256(body).digest()
            seq = len(memory.rows)
            leaf = leaf_hash(seq, memory.rows[-1].leaf_hash if seq else GENESIS, event_hash)
            memory.rows.append(Row(seq=seq, event_hash=event_hash, leaf_hash=leaf, body=body))
        return Appended(seqs=tuple(range(first, len(memory.rows))), state=state)
