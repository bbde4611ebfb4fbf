"""What senders chose themselves, as part of an operation's name or as text for an approver: bounded, and in one line."""

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from firewall.classify.content_type import Unreadable
from firewall.redact import excerpt, may_hold_secrets

NAME: Final = 128
"""Characters of one name."""
OPERATION: Final = 400
"""Characters of an operation that is made of several names."""
TEXT: Final = 600
"""Characters of one detail; a card shows 300."""
LIST: Final = 2000
"""Characters of a resource that is a list."""

_NAME = re.compile(rf"[^\s{{}},\x00-\x1f\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]{{1,{NAME}}}")


def name_of(text: object) -> str:
    """`text` where it can be part of an operation's name: no blanks, nothing invisible, none of `{},` in which several names are
    told together. Raises Unreadable."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise Unreadable(f"{text!r:.60} is no name")
    return text


def together(names: Iterable[str]) -> str:
    """One name stands alone; several stand as `{a,b}`, sorted, each once: a rule for `a*` then speaks of the first case alone.
    Raises Unreadable for more than a name can hold."""
    distinct = sorted(set(names))
    text = distinct[0] if len(distinct) == 1 else "{" + ",".join(distinct) + "}"
    if len(text) > OPERATION:
        raise Unreadable(f"{len(distinct)} operations at once")
    return text


def listed(names: Iterable[str]) -> str:
    """Several values of one resource, as rules on `resources` look at them (docs/policy.md): joined with commas, sorted, each once.
    Raises Unreadable for more than are read one by one."""
    text = ",".join(sorted(set(names)))
    if len(text) > LIST:
        raise Unreadable("too many resources at once")
    return text


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown(value: Any, limit: int = TEXT) -> str:
    """For an approver: a text as it is, anything else as compact JSON, cut at `limit` characters, without what looks secret."""
    text = cut(value if isinstance(value, str) else orjson.dumps(value).decode(), limit)
    if not may_hold_secrets(text):
        return text
    masked = excerpt(text.encode(), "", limit + 1)
    return "" if masked is None else cut(masked, limit)
