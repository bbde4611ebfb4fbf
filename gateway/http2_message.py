"""HTTP/2 heads (RFC 9113, section 8), held to the same rules as those of HTTP/1 before they become mitmproxy's Request and
Response: an HTTP/2 request must not say in HTTP/1 what it did not say itself (TRAPS 20, 21)."""

import re
from collections.abc import Iterable
from time import time
from typing import Final

from mitmproxy import http

from addons.tunnels import Target
from firewall.errors import HeadTooLarge, Malformed, TargetTooLong
from firewall.request import HOP_BY_HOP, parse_authority
from gateway.body import CHUNKED
from gateway.fields import FIELDS_LIMIT, Field, Fields
from gateway.message import LENGTHS_WITH_UNDERSCORE, TARGET_LIMIT, check_method

_PSEUDO: Final = (b":method", b":scheme", b":authority", b":path")
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_STATUS = re.compile(rb"[1-5][0-9]{2}")
_DROPPED = HOP_BY_HOP - {b"te"}
_FORBIDDEN = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""Section 8.2.2."""


def read_request(headers: Iterable[Field], *, target: Target, ended: bool) -> tuple[http.Request, int]:
    """The request that a HEADERS frame opens, as if it had come by HTTP/1: `:authority` is its Host. `ended`: it has no body.
    Returns the length of its body as well (bytes or CHUNKED). Raises Refused."""
    pseudo: dict[bytes, bytes] = {}
    fields: list[Field] = []
    cookies: list[bytes] = []
    hosts: list[bytes] = []
    for name, value in headers:
        if name[:1] == b":":
            if name not in _PSEUDO or name in pseudo or fields or cookies or hosts:
                raise Malformed("a pseudo-header field that is unknown, twice or late")
            pseudo[name] = value
            continue
        _check(name, value)
        if name == b"cookie":  # section 8.2.3: crumbs of one field
            cookies.append(value)
        elif name == b"host":
            hosts.append(value)
        elif name == b"te":
            if value.lower() != b"trailers":
                raise Malformed("te says more than trailers")
            fields.append((name, value))
        elif name in HOP_BY_HOP:
            raise Malformed("a field that belongs to a connection of HTTP/1")
        elif name in LENGTHS_WITH_UNDERSCORE:
            raise Malformed("a field that says the length of the body has an underscore")
        else:
            fields.append((name, value))
    method, scheme, path = (_pseudo(pseudo, name) for name in (b":method", b":scheme", b":path"))
    authority = _authority(pseudo.get(b":authority"), hosts)
    if _METHOD.fullmatch(method) is None or method == b"CONNECT":
        raise Malformed(":method is none that is taken here")
    check_method(method)
    if scheme != b"https":
        raise Malformed(":scheme is not that of the connection")
    if len(path) > TARGET_LIMIT:
        raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
    if _TARGET.fullmatch(path) is None:
        raise Malformed(":path is not a path")
    if len(fields) > FIELDS_LIMIT:
        raise HeadTooLarge(f"a head may have {FIELDS_LIMIT} fields")
    if cookies:
        fields.append((b"cookie", b"; ".join(cookies)))
    length = _length(fields, ended=ended)
    request = http.Request.__new__(http.Request)
    request.data = object.__new__(http.RequestData)  # its constructor checks types, for a tenth of all that a request costs
    request.data.__dict__.update(
        http_version=b"HTTP/2.0",
        headers=Fields(((b"host", authority), *fields)),
        content=b"" if length == 0 else None,
        trailers=None,
        timestamp_start=time(),
        timestamp_end=None,
        host=target[0],
        port=target[1],
        method=method,
        scheme=b"https",
        authority=b"",
        path=path,
    )
    return request, length


def request_headers(request: http.Request, length: int | None) -> list[Field]:
    """For a HEADERS frame towards a destination. `length` of the body as it is sent: bytes, CHUNKED, or None for none."""
    data = request.data
    authority = str(request.headers["host"]).encode()
    fields = [(b":method", data.method), (b":scheme", b"https"), (b":authority", authority), (b":path", data.path)]
    for name, value in data.headers.fields:
        lower = name.lower()
        if lower not in _DROPPED and lower not in (b"host", b"content-length", b"expect"):
            fields.append((lower, value))
    if length is not None and length != CHUNKED:
        fields.append((b"content-length", b"%d" % length))
    return fields


def read_response(headers: Iterable[Field], *, method: bytes, ended: bool) -> tuple[http.Response, int]:
    """The answer that a HEADERS frame opens, and the length of its body (bytes or CHUNKED). Raises Malformed."""
    status = b""
    fields: list[Field] = []
    late = False
    for name, value in headers:
        if name[:1] == b":":
            if name != b":status" or status or late or _STATUS.fullmatch(value) is None:
                raise Malformed("a pseudo-header field that is no answer's")
            status = value
            continue
        late = True
        _check(name, value)
        if name in _FORBIDDEN or (name == b"te" and value.lower() != b"trailers"):
            raise Malformed("a field that belongs to a connection of HTTP/1")
        if name not in HOP_BY_HOP or name == b"trailer":
            fields.append((name, value))
    if not status or status == b"101":  # section 8.6
        raise Malformed("the answer has no status that HTTP/2 knows")
    if len(fields) > FIELDS_LIMIT:
        raise HeadTooLarge(f"a head may have {FIELDS_LIMIT} fields")
    number = int(status)
    length = 0 if ended or method == b"HEAD" or number in (204, 304) or number < 200 else _length(fields, ended=False)
    response = http.Response.__new__(http.Response)
    response.data = object.__new__(http.ResponseData)  # its constructor checks types, for a tenth of all that a request costs
    response.data.__dict__.update(
        http_version=b"HTTP/2.0",
        headers=Fields(tuple(fields)),
        content=None,
        trailers=None,
        timestamp_start=time(),
        timestamp_end=None,
        status_code=number,
        reason=b"",
    )
    return response, length


def read_trailers(fields: list[Field]) -> list[Field]:
    """Raises Malformed, HeadTooLarge."""
    for name, value in fields:
        _check(name, value)
    if len(fields) > FIELDS_LIMIT:
        raise HeadTooLarge(f"trailers may have {FIELDS_LIMIT} fields")
    return fields


def response_headers(response: http.Response, *, length: int | None) -> list[Field]:
    """For a HEADERS frame towards the client. `length`: says how long the body is where the head did not, in bytes."""
    data = response.data
    fields: list[Field] = [(b":status", b"%d" % data.status_code)]
    said = False
    for name, value in data.headers.fields:
        lower = name.lower()
        if (lower in HOP_BY_HOP and lower != b"trailer") or (lower == b"content-length" and data.status_code < 200):
            continue
        said = said or lower == b"content-length"
        fields.append((lower, value))
    if length is not None and not said:
        fields.append((b"content-length", b"%d" % length))
    return fields


def _check(name: bytes, value: bytes) -> None:
    if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None or value.strip(b"\t ") != value:
        raise Malformed("a header field is not `name: value`")


def _pseudo(pseudo: dict[bytes, bytes], name: bytes) -> bytes:
    if not pseudo.get(name):
        raise Malformed(f"{name.decode()} is missing")
    return pseudo[name]


def _authority(authority: bytes | None, hosts: list[bytes]) -> bytes:
    """Section 8.3.1. One of them is enough; two must say the same."""
    given = [*([] if authority is None else [authority]), *hosts]
    if not given or len(hosts) > 1:
        raise Malformed("exactly one :authority or host is needed")
    if given[0] != given[-1]:
        raise Malformed(":authority and host do not agree")
    _check(b"host", given[0])
    parse_authority(given[0].decode("latin-1"), 443)
    return given[0]


def _length(fields: list[Field], *, ended: bool) -> int:
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) > 1 or any(_DIGITS.fullmatch(value) is None for value in lengths):
        raise Malformed("Content-Length is not one number")
    if ended:
        if lengths and int(lengths[0]):
            raise Malformed("Content-Length speaks of a body that does not come")
        return 0
    return int(lengths[0]) if lengths else CHUNKED
