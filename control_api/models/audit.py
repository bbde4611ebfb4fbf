"""Entries of the chain, and what a walk over it found."""

from typing import Annotated, Any

from pydantic import Field

from control_api.models.base import Page, Shown, Text


class EntryQuery(Page):
    from_seq: Annotated[int, Field(ge=0, lt=1 << 53)] = 0
    event: Text | None = None
    agent: Text | None = None
    action_id: Text | None = None


class EntryShown(Shown):
    """`body` exactly as it was hashed, and `entry`, the same parsed (null if it is no JSON any more)."""

    seq: int
    event: str
    event_hash: str
    leaf_hash: str
    body: str
    entry: dict[str, Any] | None


class Entries(Shown):
    """A page with fewer entries than asked for, or none, is not the end while there is a cursor."""

    data: list[EntryShown]
    next_cursor: str | None


class HeadShown(Shown):
    origin: str
    size: int
    leaf_hash: str


class Bad(Shown):
    seq: int
    reason: str


class Verified(Shown):
    ok: bool
    entries: int
    head: HeadShown
    first_bad: Bad | None
