"""Header fields, read strictly (RFC 9112, section 5): what two parsers could read differently is refused, not repaired."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from mitmproxy import http

from firewall.errors import HeadTooLarge, Malformed

FIELDS_LIMIT: Final = 200
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[\t ]*([\t\x20-\x7e\x80-\xff]*)")

Field = tuple[bytes, bytes]


class Fields(http.Headers):
    """mitmproxy's Headers with look-ups that do not decode and lower every field (TRAPS: Speed)."""

    def __init__(self, fields: tuple[Field, ...] = ()) -> None:
        self.fields = fields

    def get(self, key: str | bytes, default: Any = None) -> Any:
        wanted = _lower(key)
        size, found = len(wanted), None
        for name, value in self.fields:
            if len(name) == size and name.lower() == wanted:
                text = value.decode("utf-8", "surrogateescape")
                found = text if found is None else f"{found}, {text}"
        return default if found is None else found

    def __getitem__(self, key: str | bytes) -> str:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return str(found)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str | bytes):
            return False
        wanted = _lower(key)
        size = len(wanted)
        return wanted in [name.lower() for name, _ in self.fields if len(name) == size]


@lru_cache(maxsize=256)  # the keys are the code's
def _lower(key: str | bytes) -> bytes:
    return (key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key).lower()


def read_fields(lines: Iterable[bytes]) -> tuple[Field, ...]:
    """The fields of a head without its first line. Values without the blanks around them. Raises Malformed, HeadTooLarge."""
    found = []
    match = _FIELD.fullmatch
    for line in lines:
        field = match(line)
        if field is None:  # a fold, a blank before the colon, a control character
            raise Malformed("a header field is not `name: value`")
        found.append((field[1], field[2].rstrip(b"\t ")))
    if len(found) > FIELDS_LIMIT:
        raise HeadTooLarge(f"a head may have {FIELDS_LIMIT} fields")
    return tuple(found)
