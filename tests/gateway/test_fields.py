"""Header fields: read strictly, and looked up as mitmproxy's own would find them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.net.http.http1.read import _read_headers

from firewall.errors import HeadTooLarge, Malformed
from gateway.fields import FIELDS_LIMIT, Field, Fields, read_fields

NAMES = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=12).map(str.encode)
INNER = st.binary(max_size=20).map(lambda data: bytes(byte for byte in data if (byte >= 0x20 and byte != 0x7F) or byte == 9))
VALUES = INNER.map(lambda value: value.strip(b"\t "))
BLANKS = st.text(" \t", max_size=3).map(str.encode)


@given(st.lists(st.tuples(NAMES, BLANKS, VALUES, BLANKS), max_size=8))
def test_what_is_well_formed_is_read_without_the_blanks_around_it(fields: list[tuple[bytes, bytes, bytes, bytes]]) -> None:
    lines = [name + b":" + before + value + after for name, before, value, after in fields]
    assert read_fields(lines) == tuple((name, value) for name, _, value, _ in fields)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_what_is_well_formed_is_read_as_mitmproxy_reads_it(fields: list[Field]) -> None:
    lines = [name + b": " + value for name, value in fields]
    assert read_fields(lines) == _read_headers(lines).fields


@given(st.binary(max_size=40))
def test_any_line_is_refused_or_comes_back_the_same_when_it_is_written(line: bytes) -> None:
    try:
        ((name, value),) = read_fields([line])
    except Malformed:
        return
    assert read_fields([name + b": " + value]) == ((name, value),)
    assert line.startswith(name + b":")
    assert line[len(name) + 1 :].strip(b"\t ") == value


@pytest.mark.parametrize(
    "line",
    [b"", b"X", b": 1", b"X : 1", b" X: 1", b"\tX: 1", b"X\x00: 1", b"X: 1\x00", b"X: 1\r", b"X: a\nY: b", b"X: \x7f", b"X: \x0b1",
     "Ü: 1".encode(), b"X(: 1", b"x" * 257 + b": 1"],
    ids=["nothing", "no colon", "no name", "a blank before the colon", "a fold", "a tabbed fold", "NUL in a name", "NUL in a value",
         "a bare CR", "a bare LF", "DEL", "a vertical tab", "a name beyond ASCII", "a name that is no token", "a long name"],
)  # fmt: skip
def test_what_two_parsers_could_read_differently_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        read_fields([b"Host: a", line])


def test_a_head_has_so_many_fields_and_no_more() -> None:
    assert len(read_fields([b"X: 1"] * FIELDS_LIMIT)) == FIELDS_LIMIT
    with pytest.raises(HeadTooLarge):
        read_fields([b"X: 1"] * (FIELDS_LIMIT + 1))


@given(st.lists(st.tuples(st.sampled_from([b"Host", b"HOST", b"x-A", b"X-a", b"Via"]), VALUES), max_size=6))
def test_look_ups_find_what_mitmproxys_own_would(fields: list[Field]) -> None:
    ours, theirs = Fields(tuple(fields)), http.Headers(fields)
    for name in ("host", "Host", "x-a", "via", "none"):
        assert ours.get(name) == theirs.get(name)
        assert ours.get(name.encode()) == theirs.get(name)
        assert (name in ours) == (name in theirs)
        assert ours.get(name, "instead") == theirs.get(name, "instead")
        if name in theirs:
            assert ours[name] == theirs[name]
        else:
            with pytest.raises(KeyError):
                ours[name]
    assert 5 not in ours
