"""One entry of the audit log, version 1 (docs/audit-format.md): RFC 8785 canonical JSON, restricted to ASCII keys, strings,
integers below 2^53, booleans and null, in lists and objects.

What may be personal or secret (paths, queries, digests, comments, excerpts) is a *part*: the entry holds only a salted
commitment to it; the part and its salt lie sealed in a table of their own and can be erased without breaking the chain.

The number that makes a writer's entries gapless is given by the database in the commit itself, so an entry is encoded up to
that number (`head`) and the database adds it and `TAIL`. That works because `writer` is the last key in canonical order.
"""

import os
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import orjson

from firewall.ids import WriterId

VERSION = 1
TAIL = b"}}"
SALT_BYTES = 16
_PART_PREFIX = b"aaf-part/v1\n"

Value = str | int | bool | None | Sequence["Value"] | Mapping[str, "Value"]


class Event(StrEnum):
    """Audit event types (CONTRACT), those that this version writes."""

    ACTION_DECIDED = "action.decided"
    ACTION_COMPLETED = "action.completed"
    ACTION_FAILED = "action.failed"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_DENIED = "approval.denied"
    APPROVAL_EXPIRED = "approval.expired"
    GRANT_SPENT = "grant.spent"
    POLICY_ACTIVATED = "policy.activated"
    PROCESS_STARTED = "process.started"
    PROCESS_STOPPED = "process.stopped"
    AGENT_CREATED = "agent.created"
    AGENT_ROTATED = "agent.rotated"
    AGENT_DISABLED = "agent.disabled"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    CATALOG_ADDED = "catalog.added"
    CATALOG_REMOVED = "catalog.removed"


@dataclass(slots=True, kw_only=True)
class Draft:
    """An entry before it is linked: `fields` stand in clear, `parts` only as commitments. Not frozen, which would
    cost three times as much to make, twice for each request."""

    event: Event
    fields: Mapping[str, Value] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)


class Encoded(NamedTuple):
    """`head`: the entry's bytes up to the writer's number. `salt`: the entry's own, in hexadecimal, which names it when its
    parts are sealed. `parts`: what `open_parts` reads, empty when there are none."""

    head: bytes
    salt: str
    parts: bytes


@lru_cache(maxsize=2)  # a batch has one
def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-24T14:47:18.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def commitment(label: str, salt: bytes, part: bytes) -> str:
    """SHA-256("aaf-part/v1\\n" + label + "\\n" + 16 bytes of salt + part), in lower-case hexadecimal."""
    if len(salt) != SALT_BYTES:
        raise ValueError("a part's salt has 16 bytes")
    return sha256(b"%b%b\n%b%b" % (_PART_PREFIX, label.encode("ascii"), salt, part)).hexdigest()


def canonical(value: Value) -> bytes:
    """RFC 8785, for values that keep to the restriction above. Raises TypeError for integers that do not."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def is_canonical(value: object, text: bytes) -> bool:
    """Whether `text` is what `canonical` makes of `value`, and `value` keeps to the restriction."""
    try:
        return _is_restricted(value) and orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER) == text
    except (TypeError, RecursionError):
        return False


def _is_restricted(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and key.isascii() and _is_restricted(each) for key, each in value.items())
    if isinstance(value, list):
        return all(_is_restricted(each) for each in value)
    return value is None or isinstance(value, str | int)


def encode(draft: Draft, *, origin: str, writer: WriterId, at: datetime) -> Encoded:
    random = os.urandom(SALT_BYTES * (1 + len(draft.parts)))
    kept: dict[str, list[str]] = {}
    commitments: dict[str, Value] = {}
    start = SALT_BYTES
    for label, part in draft.parts.items():
        salt = random[start : start + SALT_BYTES]
        start += SALT_BYTES
        commitments[label] = commitment(label, salt, part)
        kept[label] = [salt.hex(), b2a_base64(part, newline=False).decode()]
    salt_text = random[:SALT_BYTES].hex()
    text = canonical(
        {
            **draft.fields,
            "event": draft.event.value,
            "v": VERSION,
            "origin": origin,
            "salt": salt_text,
            "time": timestamp(at),
            "parts": commitments,
        }
    )
    # Every key of ours sorts before "writer" (a test holds `fields` to that), so the writer can be appended to the text.
    head = b'%b,"writer":{"id":"%b","seq":' % (text[:-1], writer.encode())
    return Encoded(head=head, salt=salt_text, parts=canonical(kept) if kept else b"")


def complete(head: bytes, writer_seq: int) -> bytes:
    """The entry's bytes as they are hashed and stored: what the database makes of `head`."""
    return head + str(writer_seq).encode() + TAIL


def open_parts(parts: bytes) -> dict[str, tuple[bytes, bytes]]:
    """`{label: (salt, part)}` of what `encode` put away."""
    if not parts:
        return {}
    return {label: (bytes.fromhex(salt), b64decode(part)) for label, (salt, part) in orjson.loads(parts).items()}
