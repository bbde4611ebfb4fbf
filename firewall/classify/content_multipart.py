"""Multipart bodies (RFC 2046, section 5.1; RFC 7578), strictly: where two parsers could find other parts, there are none."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from firewall.classify.content_type import ContentType, Unreadable, read_content_type

PARTS: Final = 1000
HEADER_BYTES: Final = 8 << 10
HEADER_LINES: Final = 32

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_FIELD = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*?)[ \t]*")
_PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9*_-]+)=(?:([^\s";\\,]+)|"((?:[^"\\\r\n]|\\.)*)")[ \t]*')
_PLAIN_TRANSFER = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart body. `name`: of its Content-Disposition. `headers`: names in lower case."""

    name: str = ""
    file_name: str | None = None
    media_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    data: bytes = b""

    def field(self, name: str) -> str:
        """A header field of this part, by its lower-case name; empty where it has none."""
        return next((value for given, value in self.headers if given == name), "")


def read_multipart(data: bytes, content_type: ContentType) -> tuple[Part, ...]:
    """The parts in order; what is nested in one is its data. Raises Unreadable."""
    boundary = content_type.parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary) or "boundary*" in content_type.parameters:
        raise Unreadable("multipart without a boundary")
    form = content_type.media_type == "multipart/form-data"
    pieces = _pieces(data.removeprefix(b"\r\n"), b"--" + boundary.encode())
    return tuple(_part(piece, form) for piece in pieces)


def _pieces(data: bytes, delimiter: bytes) -> list[bytes]:
    """What stands between the delimiters. Whatever looks like one must be one to every reader: at the start of a line that ends
    in CRLF, with nothing before the first and nothing behind the last."""
    if data.count(delimiter) > PARTS + 1:
        raise Unreadable(f"more than {PARTS} parts")
    head, *pieces = data.split(delimiter)
    if head or not pieces:
        raise Unreadable("multipart that does not begin with its boundary")
    *pieces, tail = pieces
    if tail not in (b"--", b"--\r\n"):
        raise Unreadable("multipart that does not end with its boundary")
    if not pieces:
        raise Unreadable("multipart without a part")
    if not all(piece.startswith(b"\r\n") and piece.endswith(b"\r\n") and len(piece) > 3 for piece in pieces):
        raise Unreadable("a boundary that can be read in two ways")
    return [piece[2:-2] for piece in pieces]


def _part(piece: bytes, form: bool) -> Part:
    if piece.startswith(b"\r\n"):
        block, body = b"", piece[2:]
    else:
        block, blank, body = piece.partition(b"\r\n\r\n")
        if not blank:
            raise Unreadable("a part without an end of its header")
    headers = _headers(block)
    fields = dict(headers)
    disposition = fields.get("content-disposition", "")
    kind, name, file_name = _disposition(disposition)
    media_type = read_content_type(fields.get("content-type", "")).media_type
    if form:
        if kind != "form-data" or name is None:
            raise Unreadable("a part of a form without a name")
        if media_type.startswith("multipart/"):
            raise Unreadable("a multipart in a form")
        if fields.get("content-transfer-encoding", "").lower() not in _PLAIN_TRANSFER:
            raise Unreadable("a part of a form in a transfer encoding")
        if name == "_charset_" and body.lower() not in (b"utf-8", b"utf8"):
            raise Unreadable("a form in another charset")
    return Part(name=name or "", file_name=file_name, media_type=media_type, headers=headers, data=body)


def _headers(block: bytes) -> tuple[tuple[str, str], ...]:
    if len(block) > HEADER_BYTES:
        raise Unreadable("a part with too long a header")
    try:
        lines = block.decode().split("\r\n") if block else []
    except UnicodeDecodeError:
        raise Unreadable("a part whose header is not UTF-8") from None
    if len(lines) > HEADER_LINES:
        raise Unreadable("a part with too many header fields")
    found: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None or match[1].lower() in found or any(c < " " and c != "\t" for c in line):
            raise Unreadable("a part whose header can be read in two ways")
        found[match[1].lower()] = match[2]
    return tuple(found.items())


def _disposition(text: str) -> tuple[str, str | None, str | None]:
    """Its type, the name and the file name (RFC 6266, RFC 7578). Raises Unreadable where readers differ."""
    kind = text.partition(";")[0]
    at, found = len(kind), dict[str, str]()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise Unreadable("a content disposition that can be read in two ways")
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        at = match.end()
    name = found.get("name")
    if "name*" in found or (name is not None and "\\" in name):
        raise Unreadable("a content disposition that can be read in two ways")
    return kind.strip().lower(), name, _file_name(found.get("filename"), found.get("filename*"))


def _file_name(plain: str | None, extended: str | None) -> str | None:
    if extended is None:
        return plain
    charset, _, rest = extended.partition("'")
    name = unquote(rest.partition("'")[2], errors="replace")
    # A stand-in for readers of ASCII beside the true name is what RFC 6266 advises; another name altogether is a game.
    if charset.lower() != "utf-8" or (plain is not None and plain != name and name.isascii()):
        raise Unreadable("a part with two file names")
    return name
