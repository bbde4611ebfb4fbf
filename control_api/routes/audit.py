"""The chain as it stands, and a walk over all of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from control_api import cursor
from control_api.faults import Busy
from control_api.models import Bad, Entries, EntryQuery, EntryShown, HeadShown, Verified
from control_api.route import Answer, Call
from firewall.audit.chain import Fault, Row, Verifier
from firewall.reads import EntryFilter, EntryRecord

WINDOW = 50_000
"""How many entries one query may look through, and `WINDOWS` how many such queries one request may make."""
WINDOWS = 10
BATCH = 1000


async def listed(call: Call) -> Answer:
    query: EntryQuery = call.query
    reads = call.context.reads
    which = EntryFilter(
        from_seq=query.from_seq,
        event=query.event,
        mentions=tuple(text for text in (query.agent, query.action_id) if text is not None),
    )
    size = (await reads.head()).size
    position = cursor.position(query.cursor)
    below = size if position is None else min(position, size)
    found: list[EntryRecord] = []
    for _ in range(WINDOWS):
        above = max(query.from_seq, below - WINDOW)
        if below <= above:
            break
        wanted = query.limit - len(found)
        rows = await reads.entries(which, above=above, below=below, limit=wanted)
        found.extend(row for row in rows if matches(row, query))
        below = rows[-1].seq if len(rows) == wanted else above
        if len(found) == query.limit:
            break
    more = below > query.from_seq
    return Answer(content=Entries(data=[_shown(row) for row in found], next_cursor=cursor.encode(str(below)) if more else None))


async def verify(call: Call) -> Answer:
    """Everything from the first entry to the head as it was when asked."""
    lock = call.context.verifying
    if lock.locked():
        raise Busy("a verification is running", headers={"Retry-After": "5"})
    async with lock:
        return Answer(content=await _verify(call))


async def _verify(call: Call) -> Verified:
    reads = call.context.reads
    head = await reads.head()
    verifier = Verifier(head.origin)
    entries = 0
    bad: Fault | None = None
    while bad is None and entries < head.size:
        rows = [row for row in await reads.chain(entries, BATCH) if row.seq < head.size]
        if not rows:
            break
        bad = await asyncio.to_thread(_feed, verifier, rows)
        entries += len(rows) if bad is None else 0
    if bad is None:
        bad = verifier.finish(head.size, head.last_leaf)
    return Verified(
        ok=bad is None,
        entries=entries if bad is None else bad.seq,
        head=HeadShown(origin=head.origin, size=head.size, leaf_hash=head.last_leaf.hex()),
        first_bad=None if bad is None else Bad(seq=bad.seq, reason=bad.reason),
    )


def matches(row: EntryRecord, query: EntryQuery) -> bool:
    """The database looked for the text anywhere in the entry; here it must stand where it means the agent or the action."""
    if query.agent is None and query.action_id is None:
        return True
    entry = _parsed(row.body) or {}
    if query.action_id not in (None, entry.get("action")):
        return False
    return query.agent is None or query.agent in (entry.get("agent"), entry.get("agent_name"))


def _feed(verifier: Verifier, rows: Sequence[EntryRecord]) -> Fault | None:
    for row in rows:
        fault = verifier.feed(Row(seq=row.seq, event_hash=row.event_hash, leaf_hash=row.leaf_hash, body=row.body))
        if fault is not None:
            return fault
    return None


def _shown(row: EntryRecord) -> EntryShown:
    return EntryShown(
        seq=row.seq,
        event=row.event,
        event_hash=row.event_hash.hex(),
        leaf_hash=row.leaf_hash.hex(),
        body=row.body.decode("utf-8", "replace"),
        entry=_parsed(row.body),
    )


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # tampered with: `verify` is what says so
    return entry if isinstance(entry, dict) else None
