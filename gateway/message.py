"""HTTP/1 heads, read strictly into mitmproxy's Request and Response, and written (RFC 9112, TRAPS 4, 6, 20 to 24)."""

import re
from collections.abc import Iterable
from time import time
from typing import Final

from mitmproxy import http

from firewall.errors import HeadTooLarge, Malformed, TargetTooLong
from firewall.request import HOP_BY_HOP, parse_authority
from gateway.body import CHUNKED, TO_THE_END
from gateway.fields import Field, Fields, read_fields

HEAD_LIMIT: Final = 64 << 10
TARGET_LIMIT: Final = 8 << 10

_END = b"\r\n\r\n"
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) (HTTP/1\.[01])")
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"})
LENGTHS_WITH_UNDERSCORE: Final = frozenset({b"content_length", b"transfer_encoding"})
"""To CGI and WSGI they are the fields with a dash."""
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_BOUND = re.compile(rb"(?:.*,)?\s*(?:ntlm|negotiate)\b.*", re.IGNORECASE | re.DOTALL)
_DROPPED = HOP_BY_HOP | {b"content-length", b"expect"}
"""Of a request: what ends here, or is said anew."""
_ENDED = (HOP_BY_HOP | {b"content-length"}) - {b"trailer"}
"""Of an answer. Its trailers are passed on, so the field that announces them is."""
_OWN_ENDED = _ENDED - {b"proxy-authenticate"}
"""Of an answer of our own, which may ask for a credential."""
_NO_TRAILERS = _ENDED | {
    b"trailer", b"host", b"cache-control", b"expect", b"max-forwards", b"te", b"range",
    b"authorization", b"www-authenticate", b"cookie", b"set-cookie",
    b"age", b"date", b"expires", b"location", b"retry-after", b"vary",
    b"content-encoding", b"content-range", b"content-type",
}  # fmt: skip
"""What says how the connection or the body goes on, where the message goes, who is meant, or what the head meant (RFC 9110, section
6.5.1; the list is RFC 7230's, section 4.1.2)."""
_UPGRADE: tuple[Field, ...] = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))


def end_of_head(buffer: bytes | bytearray) -> int | None:
    """How many bytes a request's head takes, its empty line included; None when more must come. Raises when none can come."""
    end = buffer.find(_END, 0, HEAD_LIMIT + len(_END))
    if end >= 0:
        return end + len(_END)
    first_line = buffer.find(b"\r\n")
    if first_line < 0 and len(buffer) > TARGET_LIMIT + 64:
        raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
    if 0 <= first_line <= TARGET_LIMIT + 64 and _LINE.fullmatch(buffer, 0, first_line) is None:
        raise Malformed("the request line is not `METHOD TARGET HTTP/1.1`")
    if len(buffer) > HEAD_LIMIT:
        raise HeadTooLarge(f"a request head may have {HEAD_LIMIT} bytes")
    if buffer[:1] in (b"\r", b"\n", b" ", b"\t", b"\x00") or (b"\n" in buffer and b"\n" in buffer.replace(b"\r\n", b"")):
        raise Malformed("a line of the head does not end with CR LF")
    return None


def read_request(head: bytes, *, inside: bool) -> tuple[http.Request, int]:
    """The request of a head that ends with its empty line, and the length of its body (bytes or CHUNKED). `inside`: it came
    through a CONNECT; its host, port and scheme are the tunnel's and for the caller to fill in. Raises Refused."""
    lines = head[: -len(_END)].split(b"\r\n")
    match = _LINE.fullmatch(lines[0])
    if match is None:
        raise Malformed("the request line is not `METHOD TARGET HTTP/1.1`")
    method, target, version = match.groups()
    check_method(method)
    if len(target) > TARGET_LIMIT:
        raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
    fields = read_fields(lines[1:])
    host, port, authority, path = _read_target(method, target, inside=inside)
    length = _request_length(method, version, fields)
    request = http.Request.__new__(http.Request)
    request.data = object.__new__(http.RequestData)  # its constructor checks types, for a tenth of all that a request costs
    request.data.__dict__.update(
        http_version=version,
        headers=Fields(fields),
        content=b"" if length == 0 else None,
        trailers=None,
        timestamp_start=time(),
        timestamp_end=None,
        host=host,
        port=port,
        method=method,
        scheme=b"http",
        authority=authority,
        path=path,
    )
    return request, length


def check_method(method: bytes) -> None:
    """Some servers take `delete` for DELETE, where a rule that names DELETE would not. Raises Malformed."""
    if not method.isupper() and method.upper() in _METHODS:
        raise Malformed("a method is written in upper case")


def _read_target(method: bytes, target: bytes, *, inside: bool) -> tuple[str, int, bytes, bytes]:
    """Host, port, authority and path; empty where the tunnel or the step `connect` says them."""
    if inside:
        if method == b"CONNECT" or target[0] != 0x2F:
            raise Malformed("inside a tunnel the request target is a path")
        return "", 0, b"", target
    if method == b"CONNECT":
        if b"/" in target:
            raise Malformed("CONNECT needs host:port")
        return "", 0, target, b""
    if target[:7].lower() != b"http://":
        raise Malformed("a plain request to a proxy needs an http:// target; https goes through CONNECT")
    authority, slash, path = target[7:].partition(b"/")
    host, port = parse_authority(authority.decode("ascii"), 80)
    return host, port, b"", slash + path or b"/"


def _request_length(method: bytes, version: bytes, fields: tuple[Field, ...]) -> int:
    length, coding, hosts = None, None, 0
    for name, value in fields:
        match len(name):
            case 4:
                hosts += name.lower() == b"host"
            case 14 if name.lower() == b"content-length":
                if length is not None or _DIGITS.fullmatch(value) is None:
                    raise Malformed("Content-Length is not one number")
                length = int(value)
            case 17 if name.lower() == b"transfer-encoding":
                if coding is not None or value.lower() != b"chunked":
                    raise Malformed("the length of the body is ambiguous")
                coding = value
            case 14 | 17 if name.lower() in LENGTHS_WITH_UNDERSCORE:
                raise Malformed("a field that says the length of the body has an underscore")
            case _:
                pass
    if hosts != 1:
        raise Malformed("exactly one Host is needed")
    if coding is not None and (length is not None or version == b"HTTP/1.0"):
        raise Malformed("the length of the body is ambiguous")
    if method == b"CONNECT" and (coding is not None or length):
        raise Malformed("CONNECT takes no body")
    return CHUNKED if coding is not None else length or 0


def end_of_answer_head(buffer: bytearray) -> int | None:
    """How many bytes an answer's head takes; None when more must come. Raises HeadTooLarge."""
    end = buffer.find(_END, 0, HEAD_LIMIT + len(_END))
    if end >= 0:
        return end + len(_END)
    if len(buffer) > HEAD_LIMIT:
        raise HeadTooLarge(f"the head of an answer may have {HEAD_LIMIT} bytes")
    return None


def read_response(head: bytes, method: bytes) -> tuple[http.Response, int, bool]:
    """The answer of a head, the length of its body (bytes, CHUNKED or TO_THE_END), and whether the connection may be used again.
    Raises Refused."""
    lines = head[: -len(_END)].split(b"\r\n")
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise Malformed("the status line is not `HTTP/1.1 STATUS REASON`")
    fields = read_fields(lines[1:])
    status = int(match[2])
    length, coding, keep, close = None, None, match[1] == b"1", False
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-length":
            if length is not None or _DIGITS.fullmatch(value) is None:
                raise Malformed("Content-Length is not one number")
            length = int(value)
        elif lower == b"transfer-encoding":
            if coding is not None or value.lower() != b"chunked":
                raise Malformed("the length of the body is ambiguous")
            coding = value
        elif lower == b"connection":
            options = {option.strip() for option in value.lower().split(b",")}
            keep, close = keep or b"keep-alive" in options, close or b"close" in options
        elif lower == b"www-authenticate" and _BOUND.fullmatch(value):
            close = True  # it authenticates a connection, which nobody else may get then
    if coding is not None and (length is not None or match[1] == b"0"):
        raise Malformed("the length of the body is ambiguous")
    if method == b"HEAD" or status in (204, 304) or status < 200:
        size = 0
    elif coding is not None:
        size = CHUNKED
    else:
        size = TO_THE_END if length is None else length
    response = http.Response.__new__(http.Response)
    response.data = object.__new__(http.ResponseData)  # its constructor checks types, for a tenth of all that a request costs
    response.data.__dict__.update(
        http_version=b"HTTP/1.1",
        headers=Fields(fields),
        content=None,
        trailers=None,
        timestamp_start=time(),
        timestamp_end=None,
        status_code=status,
        reason=match[3] or b"",
    )
    return response, size, keep and not close and size != TO_THE_END


def request_head(request: http.Request, length: int | None) -> bytes:
    """`length` of the body as it is sent: bytes, CHUNKED, or None for a request that has none and says nothing of one."""
    data = request.data
    fields = _kept(data.headers.fields, _DROPPED)
    if length is not None:
        fields.append(_framing(length))
    if is_websocket(request):
        fields += _UPGRADE
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (data.method, data.path, b"".join([b"%b: %b\r\n" % field for field in fields]))


def response_head(response: http.Response, *, method: bytes, length: int, close: bool, extra: tuple[Field, ...] = ()) -> bytes:
    """`length` of the body as it is sent. An answer to HEAD, and 304, keep the length that they speak of."""
    data = response.data
    bodiless = method == b"HEAD" or data.status_code == 304
    fields = _kept(data.headers.fields, _ENDED - {b"content-length"} if bodiless else _ENDED)
    if not bodiless and length != TO_THE_END and data.status_code >= 200 and data.status_code != 204:
        fields.append(_framing(length))
    fields += extra
    if close:
        fields.append((b"Connection", b"close"))
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (data.status_code, data.reason, lines)


def own_answer(response: http.Response, *, method: bytes, close: bool) -> bytes:
    """An answer of our own, whole."""
    data = response.data
    content = data.content or b""
    fields = [*_kept(data.headers.fields, _OWN_ENDED), (b"Content-Length", b"%d" % len(content))]
    if close:
        fields.append((b"Connection", b"close"))
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (data.status_code, data.reason, lines, b"" if method == b"HEAD" else content)


def without_ours(fields: Iterable[Field]) -> tuple[Field, ...]:
    """What a destination says, but for what only we may say. Of a final answer the guard sees to it."""
    return tuple(field for field in fields if field[0][:6].lower() != b"x-aaf-")


def end_to_end_trailers(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Trailers of an answer that are passed on: none that would mean something in a head, for some clients merge them into it."""
    return tuple(_kept(without_ours(fields), _NO_TRAILERS))


def is_websocket(request: http.Request) -> bool:
    """`classify` left no other upgrade on the request."""
    return "upgrade" in request.headers


def upgraded_head(response: http.Response) -> bytes:
    """101 for a WebSocket."""
    return response_head(response, method=b"GET", length=TO_THE_END, close=False, extra=_UPGRADE)


def _framing(length: int) -> Field:
    return (b"Transfer-Encoding", b"chunked") if length == CHUNKED else (b"Content-Length", b"%d" % length)


def _kept(fields: Iterable[Field], dropped: frozenset[bytes]) -> list[Field]:
    return [field for field in fields if field[0].lower() not in dropped]
