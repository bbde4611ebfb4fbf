"""Heads that two parsers could read differently are refused; each case is named by what is wrong with it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.net.http import http1

from firewall.errors import HeadTooLarge, Malformed, Refused, TargetTooLong
from gateway.message import HEAD_LIMIT, TARGET_LIMIT, end_of_head, end_to_end_trailers, read_request, read_response

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


def test_trailers_lose_what_is_ours_and_what_would_frame() -> None:
    trailers = ((b"Grpc-Status", b"0"), (b"X-AAF-Decision", b"allow"), (b"Connection", b"close"), (b"Content-Length", b"1"))
    assert end_to_end_trailers(trailers) == ((b"Grpc-Status", b"0"),)


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
