"""Identifiers: UUIDv7 (RFC 9562, section 5.7), shown with a readable prefix.

In the database an identifier is a `uuid`; outside it is text such as `act_0193f0c2a4b07c3e8f1d2a3b4c5d6e7f`:
prefix, underscore, 32 lower-case hexadecimal digits.
"""

import os
import re
from typing import Literal, NewType
from uuid import UUID

ActionId = NewType("ActionId", str)
AgentId = NewType("AgentId", str)
ApprovalId = NewType("ApprovalId", str)
CatalogId = NewType("CatalogId", str)
EventId = NewType("EventId", str)
KeyId = NewType("KeyId", str)
TokenId = NewType("TokenId", str)
WriterId = NewType("WriterId", str)

Prefix = Literal["act", "agt", "apr", "cat", "evt", "key", "tok", "wrt"]
_IDENTIFIER = re.compile(r"[a-z]{3}_([0-9a-f]{32})")


def new_id(prefix: Prefix, now_ms: int) -> str:
    """A fresh identifier that sorts by time. `now_ms`: milliseconds since the Unix epoch."""
    random = int.from_bytes(os.urandom(10))  # of which 74 bits are used
    value = (now_ms & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return f"{prefix}_{value:032x}"


def to_uuid(identifier: str) -> UUID:
    """The `uuid` that the database keeps. Raises ValueError for text that is no identifier."""
    match = _IDENTIFIER.fullmatch(identifier)
    if match is None:  # not left to UUID, which reads signs, blanks, underscores and the digits of any script as well
        raise ValueError(f"not an identifier: {identifier!r}")
    return UUID(hex=match[1])


def from_uuid(prefix: Prefix, value: UUID) -> str:
    return f"{prefix}_{value.hex}"
