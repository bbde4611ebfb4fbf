"""Bodies, decoded within bounds: content codings, charsets, JSON, forms, multipart.

Strict, because a body is read here to say what a server will do with it: what two readers could read differently, or what is not
what its header says, is a problem, and with a problem no classifier may call a request harmless.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from firewall.classify.content_coding import decoded
from firewall.classify.content_form import read_form
from firewall.classify.content_json import looks_like_json, read_json
from firewall.classify.content_multipart import Part as Part
from firewall.classify.content_multipart import read_multipart
from firewall.classify.content_type import ContentType, Unreadable, as_utf8, read_content_type


class _Missing:
    """Stands where there is no JSON value, because null is one."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()

_WIDE_JSON = re.compile(rb"(?:\xff\xfe\x00\x00|\x00\x00\xfe\xff|\xff\xfe|\xfe\xff)?(?:[{\[]\x00|\x00{1,3}[{\[])")
"""How JSON begins in UTF-16 and UTF-32 (RFC 4627, section 3, which parsers still follow)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`data`: the body without its content coding. `json`: its value, MISSING where it is none. `form`: the fields of an
    x-www-form-urlencoded or form-data body, in order, without its files; `parts`: of any multipart. `problem`: why it could not be
    read as what it says it is, or not to its end; empty when all is well. With a problem, nothing here may make a request look
    milder. `structured`: it is, or says it is, one of these, rather than bytes that mean something to the server alone.
    """

    data: bytes = b""
    json: Any = MISSING
    form: tuple[tuple[str, str], ...] | None = None
    parts: tuple[Part, ...] | None = None
    problem: str = ""
    structured: bool = False


NOTHING: Final = Content()


def read_content(data: bytes, *, content_type: str, content_encoding: str, truncated: bool) -> Content:
    """Never raises. Bounded: 8 MiB without codings, 250,000 JSON values 64 deep, 1,000 fields or parts."""
    if not data and not truncated:
        return NOTHING
    try:
        kind = read_content_type(content_type)
    except Unreadable as error:
        return Content(data=data, problem=str(error), structured=True)
    structured = kind.is_json or kind.is_form or kind.is_multipart or looks_like_json(data)
    if truncated:
        return Content(data=data, problem="only its beginning was read", structured=structured)
    try:
        data = decoded(data, content_encoding) if content_encoding else data
        content = _read(data, kind)
    except Unreadable as error:
        return Content(data=data, problem=str(error), structured=structured)
    return content


def _read(data: bytes, kind: ContentType) -> Content:
    """Raises Unreadable."""
    if kind.is_multipart:
        parts = read_multipart(data, kind)
        form = _fields(parts) if kind.media_type == "multipart/form-data" else None
        return Content(data=data, parts=parts, form=form, structured=True)
    if kind.is_json:
        return Content(data=data, json=read_json(_text(data, kind)), structured=True)
    guessed = _guess(data, kind)
    if kind.is_form:
        if guessed.structured:
            return replace(guessed, problem="a form by its type, but it looks like JSON")
        return Content(data=data, form=read_form(_text(data, kind)), structured=True)
    return guessed


def _guess(data: bytes, kind: ContentType) -> Content:
    """JSON of another type or of none: many servers read it anyway. Text that only begins like JSON is text."""
    if _WIDE_JSON.match(data):
        return Content(data=data, problem="JSON in UTF-16 or UTF-32", structured=True)
    if not looks_like_json(data):
        return Content(data=data)
    try:
        return Content(data=data, json=read_json(_text(data, kind)), structured=True)
    except Unreadable as error:
        broken = str(error).startswith("not JSON") and not data.startswith(b"\xef\xbb\xbf")
        return Content(data=data) if broken else Content(data=data, problem=str(error), structured=True)


def _text(data: bytes, kind: ContentType) -> bytes:
    charset = kind.parameters.get("charset")
    return data if charset is None else as_utf8(data, charset)


def _fields(parts: tuple[Part, ...]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((part.name, part.data.decode()) for part in parts if part.file_name is None)
    except UnicodeDecodeError:
        raise Unreadable("a field of the form is not UTF-8") from None
