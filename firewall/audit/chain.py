"""The chain: how entries are linked, and how anyone checks that (docs/audit-format.md).

    leaf text  aaf-audit/v1\\n{seq}\\n{prev_leaf_hash}\\n{event_hash}\\n
    leaf hash  SHA-256(0x00 ‖ leaf text)          (RFC 6962, section 2.1: these are the leaves of the tree)

`prev_leaf_hash` of the first entry is 64 zeros; hashes are lower-case hexadecimal in the text.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from firewall.audit.entry import VERSION, Event, is_canonical

GENESIS = bytes(32)

_ENVELOPE = {
    "event": re.compile(r"[a-z]+\.[a-z]+"),
    "origin": re.compile(r".+"),
    "salt": re.compile(r"[0-9a-f]{32}"),
    "time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
}
_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry as it is stored. Hashes are 32 bytes; `body` is exactly what was hashed."""

    seq: int
    event_hash: bytes
    leaf_hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing that is wrong: at which position, and what, in words."""

    seq: int
    reason: str


def leaf_hash(seq: int, prev: bytes, event_hash: bytes) -> bytes:
    text = f"aaf-audit/v1\n{seq}\n{prev.hex()}\n{event_hash.hex()}\n"
    return hashlib.sha256(b"\x00" + text.encode()).digest()


class Verifier:
    """Walks the chain entry by entry. Keeps one number for each process that wrote, whatever the length of the chain.

    What it does not check: that an action has exactly one decision, which needs all of them at once.
    """

    def __init__(self, origin: str | None = None) -> None:
        self.origin = origin
        self.size = 0
        self.last = GENESIS
        self._next: dict[str, int] = {}
        self._stopped: set[str] = set()

    def feed(self, row: Row) -> Fault | None:
        """The next entry. After a fault nothing that follows can be trusted; feed no more."""
        reason = self._wrong(row)
        if reason is not None:
            return Fault(seq=min(row.seq, self.size), reason=reason)
        self.size += 1
        self.last = row.leaf_hash
        return None

    def finish(self, size: int, last_leaf: bytes) -> Fault | None:
        """Compares the end of the walk with the head: its size, and the hash of its last leaf."""
        if self.size < size:
            return Fault(seq=self.size, reason=f"the head says {size} entries, and there are {self.size}")
        if self.size > size:
            return Fault(seq=size, reason=f"the head says {size} entries, and there are more")
        if self.last != last_leaf:
            return Fault(seq=max(0, size - 1), reason="the head's last leaf is not the last entry's")
        return None

    def _wrong(self, row: Row) -> str | None:
        if row.seq != self.size:
            return f"entry {self.size} is missing" if row.seq > self.size else f"entry {row.seq} comes twice"
        if hashlib.sha256(row.body).digest() != row.event_hash:
            return "the body does not have the hash that stands beside it"
        if leaf_hash(row.seq, self.last, row.event_hash) != row.leaf_hash:
            return "the leaf hash does not link this entry to the one before"
        try:
            body = json.loads(row.body)
        except (ValueError, RecursionError):
            return "the body is not JSON"
        return self._wrong_body(row, body)

    def _wrong_body(self, row: Row, body: Any) -> str | None:
        if not isinstance(body, dict) or type(body.get("v")) is not int or body["v"] != VERSION:
            return f"not an entry of version {VERSION}"
        if not is_canonical(body, row.body):
            return "the body is not in canonical form"
        if not _is_enveloped(body):
            return "the body lacks what every entry has"
        self.origin = self.origin or body["origin"]
        if body["origin"] != self.origin:
            return "the entry belongs to another log"
        return self._wrong_writer(body["writer"]["id"], body["writer"]["seq"], body["event"])

    def _wrong_writer(self, writer: str, number: int, event: str) -> str | None:
        expected = self._next.get(writer, 0)
        if number != expected:
            return f"{writer} wrote its entry {number} where {expected} was due"
        if (number == 0) != (event == Event.PROCESS_STARTED.value):
            return f"{writer} does not begin with process.started"
        if writer in self._stopped:
            return f"{writer} wrote after its process.stopped"
        if event == Event.PROCESS_STOPPED.value:
            self._stopped.add(writer)
        self._next[writer] = expected + 1
        return None


def _is_enveloped(body: dict[str, Any]) -> bool:
    """Whether the keys that every entry has are there, each of its form."""
    writer, parts = body.get("writer"), body.get("parts")
    return (
        all(isinstance(body.get(key), str) and form.fullmatch(body[key]) for key, form in _ENVELOPE.items())
        and isinstance(parts, dict)
        and all(_LABEL.fullmatch(label) and isinstance(of, str) and _HASH.fullmatch(of) for label, of in parts.items())
        and isinstance(writer, dict)
        and writer.keys() == {"id", "seq"}
        and isinstance(writer["id"], str)
        and type(writer["seq"]) is int
        and max(body) == "writer"
    )
