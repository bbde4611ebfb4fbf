"""Bodies, decoded within bounds (content codings, JSON, forms, multipart)."""

from dataclasses import dataclass
from typing import Any, Final

import orjson


class _Missing:
    """Stands where there is no JSON value, because null is one."""


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart body. `name`: of its Content-Disposition. `headers`: names in lower case."""

    name: str = ""
    file_name: str | None = None
    media_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`data`: the body without its content coding. `json`: its value, MISSING where it is none. `form`: the fields of an
    x-www-form-urlencoded or form-data body, in order; `parts`: of any multipart. `problem`: why it could not be read as what it
    says it is, or not to its end; empty when all is well. With a problem, nothing here may make a request look milder.
    """

    data: bytes = b""
    json: Any = MISSING
    form: tuple[tuple[str, str], ...] | None = None
    parts: tuple[Part, ...] | None = None
    problem: str = ""


NOTHING: Final = Content()


def read_content(data: bytes, *, content_type: str, content_encoding: str, truncated: bool) -> Content:
    """Never raises."""
    if truncated:
        return Content(data=data, problem="only its beginning was read")
    try:
        return Content(data=data, json=orjson.loads(data))
    except orjson.JSONDecodeError as error:
        return Content(data=data, problem=f"not JSON: {error}")
