"""Heads that two parsers could read differently are refused; each case is named by what is wrong with it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.net.http import http1

from firewall.errors import HeadTooLarge, Malformed, Refused, TargetTooLong
from firewall.request import HOP_BY_HOP
from gateway.body import CHUNKED, TO_THE_END
from gateway.fields import Field
from gateway.message import (
    HEAD_LIMIT,
    TARGET_LIMIT,
    end_of_answer_head,
    end_of_head,
    end_to_end_trailers,
    own_answer,
    read_request,
    read_response,
    request_head,
    response_head,
)

HEADS = json.loads((Path(__file__).parent.parent / "vectors" / "heads.json").read_text())
INSIDE = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"


def read(head: bytes, *, inside: bool) -> http.Request:
    end = end_of_head(head)
    assert end == len(head)
    return read_request(head, inside=inside)[0]


@pytest.mark.parametrize("case", HEADS["refused"], ids=lambda case: case["attack"])
def test_an_ambiguous_head_is_refused(case: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        read(str(case["head"]).encode("latin-1"), inside=bool(case["inside"]))


@pytest.mark.parametrize("case", HEADS["accepted"], ids=lambda case: case["name"])
def test_an_ordinary_head_is_read_as_mitmproxy_reads_it(case: dict[str, object]) -> None:
    head = str(case["head"]).encode("latin-1")
    ours, theirs = read(head, inside=bool(case["inside"])), http1.read_request_head(head[:-4].split(b"\r\n"))
    assert (ours.data.method, ours.data.path, ours.headers.fields) == (theirs.data.method, theirs.data.path, theirs.headers.fields)
    assert (ours.data.authority, ours.data.http_version) == (
        theirs.data.authority if ours.data.method == b"CONNECT" else b"", theirs.data.http_version
    )  # fmt: skip
    if theirs.data.host and ours.data.method != b"CONNECT":
        assert (ours.data.host, ours.data.port) == (theirs.data.host.lower(), theirs.data.port)


@pytest.mark.parametrize(
    ("fields", "keep"),
    [
        ("", True),
        ("Connection: close\r\n", False),
        ("Connection: close\r\nConnection: keep-alive\r\n", False),
        ("WWW-Authenticate: NTLM\r\n", False),
        ("WWW-Authenticate: Basic realm=x, Negotiate\r\n", False),
        ("WWW-Authenticate: Basic realm=negotiated\r\n", True),
    ],
)
def test_a_connection_is_used_again_unless_any_field_speaks_against_it(fields: str, keep: bool) -> None:
    head = f"HTTP/1.1 401 No\r\nContent-Length: 0\r\n{fields}\r\n".encode()
    assert read_response(head, b"GET")[2] is keep


@pytest.mark.parametrize(
    "name",
    [
        "X-AAF-Decision", "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "TE", "Upgrade", "Keep-Alive",
        "Host", "Set-Cookie", "Cookie", "Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Cache-Control", "Content-Type",
        "Content-Encoding", "Content-Range", "Location", "Vary",
    ],
)  # fmt: skip
def test_trailers_lose_what_is_ours_and_what_would_mean_something_in_a_head(name: str) -> None:
    kept = ((b"Grpc-Status", b"0"), (b"X-Sum", b"1"))
    for spelt in (name, name.upper(), name.lower()):
        assert end_to_end_trailers((kept[0], (spelt.encode(), b"x"), kept[1])) == kept


def test_an_unfinished_head_is_waited_for() -> None:
    for length in range(1, len(INSIDE)):
        assert end_of_head(INSIDE[:length]) is None


def test_what_follows_a_head_is_left_for_the_next_reader() -> None:
    assert end_of_head(INSIDE + b"POST /b") == len(INSIDE)


def test_a_head_without_end_is_cut_off() -> None:
    with pytest.raises(HeadTooLarge):
        end_of_head(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEAD_LIMIT // 6))


def test_a_target_without_end_is_cut_off() -> None:
    with pytest.raises(TargetTooLong):
        end_of_head(b"GET /" + b"a" * (TARGET_LIMIT + 64))


def test_a_long_target_is_refused_by_name() -> None:
    with pytest.raises(TargetTooLong):
        read(b"GET /" + b"a" * TARGET_LIMIT + b" HTTP/1.1\r\nHost: a\r\n\r\n", inside=True)


def test_a_line_that_does_not_end_in_cr_lf_is_refused_before_the_head_is_complete() -> None:
    with pytest.raises(Malformed):
        end_of_head(b"GET / HTTP/1.1\nHost: a\n\n")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_and_what_is_read_holds_no_stray_control_bytes(tail: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + tail + b"\r\n\r\n"
    try:
        end = end_of_head(head)
        fields = () if end is None else read_request(head[:end], inside=True)[0].headers.fields
    except Refused:
        return
    assert not any(byte in part for field in fields for part in field for byte in (b"\r", b"\n", b"\x00"))


# --- what is written means what was read ------------------------------------------------------------------------------------

TOKEN = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=10).map(str.encode)
KNOWN = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"}
METHOD = TOKEN.map(lambda method: b"CUSTOM" if method.upper() in KNOWN else method) | st.sampled_from(sorted(KNOWN - {b"CONNECT"}))
PATH = st.text("abcXYZ019/?&=%+._~-:@!$'()*,;", max_size=30).map(lambda path: b"/" + path.encode())
VALUE = st.binary(max_size=20).map(
    lambda data: bytes(byte for byte in data if (byte >= 0x20 and byte != 0x7F) or byte == 9).strip(b"\t ")
)
SPECIAL = HOP_BY_HOP | {b"content-length", b"content_length", b"transfer_encoding", b"expect", b"host"}
FIELDS = st.lists(st.tuples(TOKEN.map(lambda name: b"X-" + name), VALUE), max_size=6)
LENGTH = st.one_of(st.none(), st.integers(min_value=0, max_value=10**15), st.just("chunked"))


def framing(length: object) -> list[Field]:
    if length is None:
        return []
    return [(b"Transfer-Encoding", b"chunked")] if length == "chunked" else [(b"Content-Length", str(length).encode())]


def head_of(first: bytes, fields: list[Field]) -> bytes:
    return b"\r\n".join([first, *(name + b": " + value for name, value in fields)]) + b"\r\n\r\n"


@given(METHOD, PATH, FIELDS, LENGTH)
def test_a_request_head_that_is_read_and_written_means_the_same_to_mitmproxys_parser(
    method: bytes, path: bytes, fields: list[Field], length: object
) -> None:
    head = head_of(method + b" " + path + b" HTTP/1.1", [(b"Host", b"up.test"), *fields, *framing(length)])
    ours, size = read_request(head, inside=True)
    theirs = http1.read_request_head(head[:-4].split(b"\r\n"))
    assert (ours.data.method, ours.data.path, ours.headers.fields) == (method, path, theirs.headers.fields)
    assert size == (0 if length is None else CHUNKED if length == "chunked" else length)
    assert http1.expected_http_body_size(theirs) == (None if size == CHUNKED else size)

    written = request_head(ours, None if length is None else size)
    again = http1.read_request_head(written[:-4].split(b"\r\n"))
    assert (again.data.method, again.data.path, again.data.http_version) == (method, path, b"HTTP/1.1")
    assert list(again.headers.fields) == [(b"Host", b"up.test"), *fields, *framing(length)]
    assert http1.expected_http_body_size(again) == http1.expected_http_body_size(theirs)


@given(st.integers(min_value=200, max_value=599), VALUE, FIELDS, LENGTH, st.sampled_from([b"GET", b"HEAD", b"POST"]))
def test_a_response_head_that_is_read_and_written_means_the_same_to_mitmproxys_parser(
    status: int, reason: bytes, fields: list[Field], length: object, method: bytes
) -> None:
    head = head_of(b"HTTP/1.1 %d %b" % (status, reason), [*fields, *framing(length)])
    ours, size, keep = read_response(head, method)
    request = http.Request.make(method.decode(), "http://up.test/")
    theirs = http1.read_response_head(head[:-4].split(b"\r\n"))
    assert (ours.data.status_code, ours.headers.fields) == (status, theirs.headers.fields)
    expected = http1.expected_http_body_size(request, theirs)
    assert size == (CHUNKED if expected is None else TO_THE_END if expected == -1 else expected)
    assert keep is (size != TO_THE_END)

    written = response_head(ours, method=method, length=size, close=size == TO_THE_END)
    again = http1.read_response_head(written[:-4].split(b"\r\n"))
    assert (again.status_code, again.data.reason) == (status, reason)
    assert http1.expected_http_body_size(request, again) == expected
    assert [field for field in again.headers.fields if field[0].lower() not in SPECIAL] == fields


@given(st.lists(st.tuples(st.sampled_from(sorted(SPECIAL - {b"host"})), st.just(b"close")), max_size=4), FIELDS)
def test_nothing_that_ends_here_is_written(ending: list[Field], fields: list[Field]) -> None:
    made = http.Request.make("GET", "http://up.test/")
    made.headers = http.Headers([(b"Host", b"up.test"), *fields, *((name, value) for name, value in ending if name != b"upgrade")])
    lines = request_head(made, 5)[:-4].split(b"\r\n")[1:]
    names = [line.partition(b":")[0].lower() for line in lines]
    dropped = SPECIAL - {b"content-length", b"content_length", b"transfer_encoding", b"host"}
    assert names.count(b"content-length") == 1
    assert dropped.isdisjoint(names)


@given(st.binary(max_size=120))
def test_any_answers_head_is_read_or_refused_and_what_is_written_of_it_has_as_many_lines(tail: bytes) -> None:
    head = b"HTTP/1.1 200 " + tail + b"\r\n\r\n"
    end = end_of_answer_head(bytearray(head))
    assert end is not None
    try:
        response, size, _ = read_response(head[:end], b"GET")
    except Refused:
        return
    written = response_head(response, method=b"GET", length=size, close=False)
    assert written.endswith(b"\r\n\r\n")
    lines = written[:-4].split(b"\r\n")
    assert not any(byte in line for line in lines for byte in (b"\r", b"\n", b"\x00"))
    assert len(lines) <= 2 + len(response.headers.fields)


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200", b"HTTP/1.1  200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.2 200 OK", b"http/1.1 200 OK",
     b" HTTP/1.1 200 OK", b"HTTP/1.1\t200 OK", "HTTP/1.1 ٢٠٠ OK".encode()],
    ids=["no reason", "two blanks", "four digits", "a leading zero", "HTTP/1.2", "lower case", "a blank before", "a tab", "digits"],
)  # fmt: skip
def test_a_status_line_is_what_it_must_be(first: bytes) -> None:
    if first == b"HTTP/1.1 200":  # RFC 9112, section 4, lets a client read it
        assert read_response(first + b"\r\nContent-Length: 0\r\n\r\n", b"GET")[0].status_code == 200
        return
    with pytest.raises(Malformed):
        read_response(first + b"\r\nContent-Length: 0\r\n\r\n", b"GET")


@pytest.mark.parametrize(
    ("fields", "keep"),
    [
        (b"", True),
        (b"Connection: close\r\n", False),
        (b"Connection: close\r\nConnection: keep-alive\r\n", False),
        (b"Connection: keep-alive, Close\r\n", False),
        (b"WWW-Authenticate: NTLM\r\nConnection: keep-alive\r\n", False),
        (b"WWW-Authenticate: Basic realm=x, Negotiate\r\n", False),
        (b"WWW-Authenticate: Basic realm=ntlmish\r\n", True),
    ],
)
def test_a_connection_may_be_used_again_unless_its_answer_says_otherwise(fields: bytes, keep: bool) -> None:
    assert read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n", b"GET")[2] is keep


def test_an_answer_of_http_1_0_ends_its_connection_unless_it_says_otherwise() -> None:
    assert not read_response(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET")[2]
    assert read_response(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", b"GET")[2]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_answer_of_ours_is_whole_and_cannot_be_split(method: bytes) -> None:
    response = http.Response.make(403, b"no", {"X": "1", "Content-Length": "99", "Transfer-Encoding": "chunked"})
    written = own_answer(response, method=method, close=True)
    assert written.startswith(b"HTTP/1.1 403 Forbidden\r\nX: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
    assert written.endswith(b"no") is (method == b"GET")
