"""`Content-Type`, read so that no two readers can read it differently (RFC 9110, section 8.3.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = re.compile(rf"[ \t]*({_WORD}/{_WORD})[ \t]*")
_PARAMETER = re.compile(rf'[ \t]*({_WORD})=(?:({_WORD})|"((?:[^"\\\x00-\x1f\x7f]|\\["\\])*)")[ \t]*')
_QUOTED = re.compile(r"\\(.)")
LIMIT = 512
"""Characters of a Content-Type."""

JSON = frozenset(
    {
        "application/json",
        "application/x-json",
        "application/json-rpc",
        "application/jsonrequest",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "text/json",
        "text/x-json",
    }
)
"""Media types that are JSON without a `+json` (RFC 6839) in their name."""


class Unreadable(ValueError):
    """A body is not what it says it is, could be read in two ways, or goes beyond a bound. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """`media_type`: lower case; empty where none is given. `parameters`: names in lower case."""

    media_type: str = ""
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_json(self) -> bool:
        return self.media_type in JSON or self.media_type.endswith("+json")

    @property
    def is_form(self) -> bool:
        return self.media_type == "application/x-www-form-urlencoded"

    @property
    def is_multipart(self) -> bool:
        return self.media_type.startswith("multipart/")


@lru_cache(maxsize=512)
def read_content_type(text: str) -> ContentType:
    """Raises Unreadable: for what is no media type, for two of them, for a parameter given twice."""
    if not text.strip():
        return ContentType()
    if len(text) > LIMIT:
        raise Unreadable("the content type is too long")
    match = _MEDIA_TYPE.match(text)
    if match is None:
        raise Unreadable("the content type is no media type")
    at, parameters = match.end(), dict[str, str]()
    while at < len(text):
        if text[at] == "," or text[at] != ";":
            raise Unreadable("the content type can be read in two ways")
        if not text[at + 1 :].strip(" \t;"):
            break
        parameter = _PARAMETER.match(text, at + 1)
        if parameter is None:
            raise Unreadable("the content type has a parameter that can be read in two ways")
        name, plain, quoted = parameter.groups()
        if name.lower() in parameters:
            raise Unreadable(f"the content type says its {name.lower()[:40]} twice")
        parameters[name.lower()] = plain if plain is not None else _QUOTED.sub(r"\1", quoted)
        at = parameter.end()
    return ContentType(media_type=match[1].lower(), parameters=MappingProxyType(parameters))


_CHARSETS = re.compile(r"utf-?8|us-ascii|ascii|latin-?1|iso-8859-(?:[1-9]|1[0-6])|windows-125[0-8]", re.IGNORECASE)
"""Those in which each byte of ASCII means itself, wherever it stands. In UTF-7, UTF-16, ISO 2022 or EBCDIC the same bytes are
another text."""


def as_utf8(data: bytes, charset: str) -> bytes:
    """The text in UTF-8. Raises Unreadable where its charset is none that is read here, or where a reader who pays no heed to
    the charset would read another text."""
    if not _CHARSETS.fullmatch(charset):
        raise Unreadable(f"charset {charset[:40]!r} is not read here")
    if data.isascii() or charset.lower() in {"utf-8", "utf8"}:
        return data
    try:
        text = data.decode(charset)
    except (UnicodeDecodeError, LookupError):
        raise Unreadable(f"the body is not {charset[:40]}") from None
    try:
        data.decode()
    except UnicodeDecodeError:
        return text.encode()
    raise Unreadable(f"the body can be read as {charset[:40]} and as UTF-8")
