"""The JSON Canonicalization Scheme (RFC 8785): one text for one value, whoever writes it. For JSON that comes from outside and
may hold any number; entries of the chain keep to a stricter form (`audit.entry.canonical`)."""

import json
import math
from decimal import Decimal
from typing import Any

_EXACT = 2**53
"""Integers from here on are not exact in every reader (RFC 8785, section 3.2.2.3)."""


DEPTH = 256
"""Lists and objects inside one another; the RFC has no limit, the stack has."""


def text(value: Any, _depth: int = 0) -> str:
    """Raises ValueError for what has no canonical form: integers of 2^53 and more, NaN, infinities, lone surrogates, what is
    deeper than `DEPTH`, and what is not JSON."""
    if _depth > DEPTH:
        raise ValueError(f"nested deeper than {DEPTH}")
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return _string(value)
        case int():
            if abs(value) >= _EXACT:
                raise ValueError("an integer of 2^53 or more has no exact form")
            return str(value)
        case float():
            return _number(value)
        case list() | tuple():
            return "[" + ",".join([text(each, _depth + 1) for each in value]) + "]"
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ValueError("a key is text")
            ordered = sorted(value.items(), key=lambda pair: _utf16(pair[0]))
            return "{" + ",".join([f"{_string(key)}:{text(each, _depth + 1)}" for key, each in ordered]) + "}"
        case _:
            raise ValueError(f"{type(value).__name__} is not JSON")


def _utf16(key: str) -> bytes:
    """Keys are ordered by UTF-16 code units (section 3.2.3)."""
    return key.encode("utf-16-be")


def _string(value: str) -> str:
    value.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript writes it (section 3.2.2.3: Number::toString)."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinities are not JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    _, digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    plain = "".join(map(str, digits))
    point = len(plain) + int(exponent)
    if len(plain) <= point <= 21:
        return sign + plain + "0" * (point - len(plain))
    if 0 < point <= 21:
        return f"{sign}{plain[:point]}.{plain[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{plain}"
    mantissa = plain[0] + ("." + plain[1:] if len(plain) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
