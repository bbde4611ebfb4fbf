"""A request head, read strictly (RFC 9112): what two parsers could read differently is refused, not repaired (TRAPS 4, 6, 24)."""

import re

from firewall.errors import HeadTooLarge, Malformed, TargetTooLong
from firewall.request import parse_authority

HEAD_LIMIT = 64 << 10
TARGET_LIMIT = 8 << 10
FIELDS_LIMIT = 200

_END = b"\r\n\r\n"
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[\t ]*([\t\x20-\x7e\x80-\xff]*)")
_DIGITS = re.compile(rb"[0-9]{1,18}")


def end_of_head(buffer: bytes) -> int | None:
    """How many bytes the head takes, its empty line included; None when more must come. Raises when none can come of it."""
    end = buffer.find(_END)
    if end < 0:
        first_line = buffer.find(b"\r\n")
        if first_line < 0 and len(buffer) > TARGET_LIMIT + 64:
            raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
        if len(buffer) > HEAD_LIMIT:
            raise HeadTooLarge(f"a request head may have {HEAD_LIMIT} bytes")
        if buffer[:1] in (b"\r", b"\n", b" ", b"\t", b"\x00") or (b"\n" in buffer and b"\n" in buffer.replace(b"\r\n", b"")):
            raise Malformed("a line of the head does not end with CR LF")
        return None
    if end > HEAD_LIMIT:
        raise HeadTooLarge(f"a request head may have {HEAD_LIMIT} bytes")
    return end + len(_END)


def split(head: bytes, *, inside: bool) -> list[bytes]:
    """The lines of a head that ends with its empty line. `inside`: whether it came through a CONNECT. Raises Refused."""
    lines = head[: -len(_END)].split(b"\r\n")
    match = _LINE.fullmatch(lines[0])
    if match is None:
        raise Malformed("the request line is not `METHOD TARGET HTTP/1.1`")
    method, target = match[1], match[2]
    if len(target) > TARGET_LIMIT:
        raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
    if len(lines) > FIELDS_LIMIT:
        raise HeadTooLarge(f"a request head may have {FIELDS_LIMIT} fields")
    fields = [_field(line) for line in lines[1:]]
    _check_target(method, target, inside=inside)
    _check_framing(method, lines[0], fields)
    if sum(1 for name, _ in fields if name == b"host") != 1:
        raise Malformed("exactly one Host is needed")
    return lines


def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise Malformed("a header field is not `name: value`")
    return match[1].lower(), match[2].rstrip(b"\t ")


def _check_target(method: bytes, target: bytes, *, inside: bool) -> None:
    if inside:
        if method == b"CONNECT" or not target.startswith(b"/"):
            raise Malformed("inside a tunnel the request target is a path")
    elif method == b"CONNECT":
        if b"/" in target:
            raise Malformed("CONNECT needs host:port")
    elif not target.lower().startswith(b"http://"):
        raise Malformed("a plain request to a proxy needs an http:// target; https goes through CONNECT")
    else:
        # mitmproxy takes port 0 for no port at all (TRAPS 23); an authority that is none of ours ends here.
        parse_authority(target[len(b"http://") :].partition(b"/")[0].decode("ascii"), 80)


def _check_framing(method: bytes, line: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) > 1 or any(_DIGITS.fullmatch(value) is None for value in lengths):
        raise Malformed("Content-Length is not one number")
    if codings and (len(codings) > 1 or codings[0].lower() != b"chunked" or lengths or line.endswith(b"1.0")):
        raise Malformed("the length of the body is ambiguous")
    if method == b"CONNECT" and (codings or (lengths and int(lengths[0]) > 0)):
        raise Malformed("CONNECT takes no body")
