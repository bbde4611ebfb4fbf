"""Where a list goes on: opaque to clients, base64url of the last row's key."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime

from control_api.faults import Invalid
from firewall.ids import Prefix, to_uuid


def encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def page[R](rows: Sequence[R], limit: int, key: Callable[[R], str]) -> tuple[Sequence[R], str | None]:
    """`rows` was asked for with one more than `limit`: what to show, and the cursor if there is more."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(key(rows[limit - 1]))


def identifier(cursor: str | None, prefix: Prefix) -> str | None:
    if cursor is None:
        return None
    text = _decode(cursor)
    try:
        to_uuid(text)
    except ValueError:
        raise _invalid() from None
    if not text.startswith(prefix + "_"):
        raise _invalid()
    return text


def position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    text = _decode(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _invalid()
    return int(text)


def instant(cursor: str | None) -> datetime | None:
    if cursor is None:
        return None
    try:
        at = datetime.fromisoformat(_decode(cursor))
    except ValueError:
        raise _invalid() from None
    if at.tzinfo is None or not 2000 < at.year < 9000:
        raise _invalid()
    return at


def _decode(cursor: str) -> str:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _invalid() from None


def _invalid() -> Invalid:
    return Invalid("query: /cursor", errors=[{"path": "/cursor", "message": "not a cursor of this list"}])
