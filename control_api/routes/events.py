"""Server-sent events: what happens to actions and approvals, as the chain says it. `id` is the entry's position."""

import asyncio
import time

import orjson
import structlog
from aiohttp import web

from control_api.faults import Busy, Invalid
from control_api.route import Call
from control_api.tail import BATCH, Subscriber, TooManySubscribers
from firewall.errors import LedgerUnavailable
from firewall.reads import EntryRecord

HEARTBEAT_SECONDS = 10.0
CHECK_SECONDS = 2.0
WRITE_SECONDS = 30.0
KINDS = {"action": "action", "approval": "approval", "grant": "approval"}
HIDDEN = frozenset({"salt", "parts", "origin", "writer", "v"})

log = structlog.get_logger()


async def stream(call: Call) -> web.StreamResponse:
    position = last_event_id(call.request.headers.get("Last-Event-ID"))
    try:
        async with call.context.tail.subscribe() as subscriber:
            return await _stream(call, subscriber, position)
    except TooManySubscribers as error:
        raise Busy(str(error)) from error


async def _stream(call: Call, subscriber: Subscriber, position: int | None) -> web.StreamResponse:
    tail = call.context.tail
    # The queue holds everything from here on; what a returning client missed before it is read from the chain first.
    live_from = tail.next_seq
    next_seq = live_from if position is None else min(position + 1, live_from)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(call.request)
    try:
        await _write(response, b"retry: 1000\n: connected\n\n")
        while next_seq < live_from and not call.context.closing.is_set():
            rows = await call.context.reads.chain(next_seq, min(BATCH, live_from - next_seq))
            if not rows:
                break
            await _write(response, b"".join(frame(row) for row in rows))
            next_seq = rows[-1].seq + 1
        await _live(call, subscriber, response, next_seq)
    except (ConnectionResetError, TimeoutError):
        if call.request.transport is not None:
            call.request.transport.abort()  # the client left, or stopped reading
    except LedgerUnavailable as error:
        log.warning("events.ended", reason=error.detail)  # the client comes again with its last position
    return response


async def _live(call: Call, subscriber: Subscriber, response: web.StreamResponse, next_seq: int) -> None:
    closing = asyncio.ensure_future(call.context.closing.wait())
    said = checked = time.monotonic()
    try:
        while not closing.done():
            if subscriber.dropped and subscriber.entries.empty():
                await _write(response, b'event: dropped\ndata: {"reason":"read too slowly; come again with Last-Event-ID"}\n\n')
                return
            entry = asyncio.ensure_future(subscriber.entries.get())
            await asyncio.wait({entry, closing}, timeout=CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            now = time.monotonic()
            if not entry.done():
                entry.cancel()
            elif entry.result().seq >= next_seq and (text := frame(entry.result())):
                await _write(response, text)
                said = now
            if now - checked >= CHECK_SECONDS:
                checked = now
                if not await call.context.door.is_live(call.caller):
                    return
            if now - said >= HEARTBEAT_SECONDS:
                said = now
                await _write(response, b": still here\n\n")
    finally:
        closing.cancel()


async def _write(response: web.StreamResponse, text: bytes) -> None:
    if text:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(text)


def frame(row: EntryRecord) -> bytes:
    """Empty for an entry that is about neither actions nor approvals."""
    kind = KINDS.get(row.event.partition(".")[0])
    if kind is None:
        return b""
    try:
        entry = orjson.loads(row.body)
    except orjson.JSONDecodeError:
        return b""  # tampered with: `audit verify` is what says so
    shown = {"seq": row.seq} | {name: value for name, value in entry.items() if name not in HIDDEN}
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (row.seq, kind.encode(), orjson.dumps(shown))


def last_event_id(header: str | None) -> int | None:
    if not header:
        return None
    if not (header.isascii() and header.isdigit() and len(header) < 19):
        raise Invalid("header: Last-Event-ID", errors=[{"path": "/Last-Event-ID", "message": "not a position"}])
    return int(header)
