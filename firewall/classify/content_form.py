"""Forms as browsers send them: application/x-www-form-urlencoded (WHATWG URL, section 5)."""

import re
from typing import Final
from urllib.parse import parse_qsl

from firewall.classify.content_type import Unreadable

FIELDS: Final = 1000

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECOND_SEPARATOR = re.compile(r";[^&;=]*=")
"""What a reader takes for a field that also ends fields at `;`, as HTML 4.01 once advised."""


def read_form(data: bytes) -> tuple[tuple[str, str], ...]:
    """The fields in order, duplicates and blanks kept. Raises Unreadable."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unreadable("the form is not UTF-8") from None
    if text.count("&") >= FIELDS:
        raise Unreadable(f"a form of more than {FIELDS} fields")
    if _BROKEN_ESCAPE.search(text):
        raise Unreadable("the form has a broken percent-escape")
    if ";" in text and _SECOND_SEPARATOR.search(text):
        raise Unreadable("a semicolon may end a field of the form")
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Unreadable("the form does not decode to UTF-8") from None
