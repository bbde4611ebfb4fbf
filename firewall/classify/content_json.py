"""JSON, strictly (RFC 8259, and what RFC 7493 asks for): nothing that two parsers could read differently.

orjson reads it, and refuses what is no JSON, broken UTF-8, lone surrogates, a byte order mark, numbers that are infinite. What it
lets pass is looked for here: names given twice (it keeps the last, others the first), depth and width. Of an integer beyond 64
bits it keeps the nearest float.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from firewall.classify.content_type import Unreadable

DEPTH: Final = 64
NODES: Final = 250_000
"""Values in one document."""

_CONTAINERS = frozenset({dict, list})


def looks_like_json(data: bytes) -> bool:
    """Whether it begins as an object or array: a server may read it as JSON whatever its type says."""
    return data[:64].lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"{", b"[")


def read_json(data: bytes) -> Any:
    """The value. Raises Unreadable."""
    # Counted in the bytes, strings included, so that no parser has to build what is refused afterwards.
    if len(data) > NODES and data.count(b",") + data.count(b"[") + data.count(b"{") > NODES:
        raise Unreadable(f"JSON of more than {NODES} values")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}"[:200]) from None
    _refuse_depth(value)
    if _may_have_duplicates(data, value) and _has_duplicates(data):
        raise Unreadable("duplicate keys")
    return value


def _refuse_depth(value: Any) -> None:
    """Level by level: a stack of its own is what the bound is for."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(DEPTH):
        level = [child for item in level for child in (item.values() if type(item) is dict else item) if type(child) in _CONTAINERS]
        if not level:
            return
    raise Unreadable(f"JSON deeper than {DEPTH}")


def _may_have_duplicates(data: bytes, value: Any) -> bool:
    """A name and its value that were dropped took at least one colon along. No string gains one by being written anew, unless
    its colon was escaped."""
    return data.count(b":") != orjson.dumps(value).count(b":") or b"\\u003" in data


def _has_duplicates(data: bytes) -> bool:
    """The slow, certain way."""
    try:
        json.loads(data, object_pairs_hook=_distinct, parse_int=_nothing, parse_float=_nothing)
    except _Duplicate:
        return True
    return False


class _Duplicate(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Duplicate


def _nothing(_: str) -> None:
    return None


def refuse_lookalikes(value: Mapping[str, Any], names: Iterable[str]) -> None:
    """Some parsers (Go's) take `Method` or `meſsage` for `method` and `message`. Raises Unreadable when a name differs from one
    of `names` only by its case."""
    meant = {name.casefold(): name for name in names}
    for given in value:
        wanted = meant.get(given.casefold(), given)
        if given != wanted:
            raise Unreadable(f"{given[:40]!r} may be read as {wanted!r}")
