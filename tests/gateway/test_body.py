"""Bodies come out of their framing the same however they arrive; what a receiver could read otherwise is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import Malformed
from gateway.body import CHUNKED, LINE_LIMIT, TO_THE_END, TRAILERS_LIMIT, Body, chunk, last_chunk
from gateway.fields import Field

NEXT = b"GET /next HTTP/1.1\r\n"
PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
CUTS = st.lists(st.integers(min_value=1, max_value=30), max_size=60)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces of these sizes; the rest at once."""
    pieces = []
    for size in cuts:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in [*pieces, data] if piece]


def taken(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What came out of a body that arrives in these pieces, and what is left in the buffer."""
    buffer, got = bytearray(), b""
    for piece in pieces:
        buffer += piece
        got += body.take(buffer)
    return got, bytes(buffer)


def by_the_book(data: bytes) -> tuple[bytes, bytes]:
    """A chunked body without extensions and trailers, read in the slow and obvious way (RFC 9112, section 7.1)."""
    got = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            assert data.startswith(b"\r\n")
            return got, data[2:]
        got, data = got + data[:size], data[size + 2 :]


# --- any split is the same -------------------------------------------------------------------------------------------------


@given(PIECES, CUTS, st.booleans())
def test_a_chunked_body_is_the_same_however_it_arrives(pieces: list[bytes], cuts: list[int], strict: bool) -> None:
    wire = b"".join(chunk(piece) for piece in pieces) + last_chunk() + NEXT
    body = Body(CHUNKED, strict=strict)
    assert taken(body, split(wire, cuts)) == (b"".join(pieces), NEXT) == by_the_book(wire)
    assert (body.done, body.trailers) == (True, ())


@given(st.binary(max_size=200), CUTS)
def test_a_body_with_a_length_is_the_same_however_it_arrives(data: bytes, cuts: list[int]) -> None:
    body = Body(len(data), strict=True)
    assert taken(body, split(data + NEXT, cuts)) == (data, NEXT)
    assert (body.done, body.left) == (True, 0)


@given(st.binary(min_size=1, max_size=200), CUTS)
def test_a_body_to_the_end_takes_all_and_is_never_done(data: bytes, cuts: list[int]) -> None:
    body = Body(TO_THE_END, strict=False)
    assert taken(body, split(data, cuts)) == (data, b"")
    assert (body.done, body.to_the_end, body.left) == (False, True, None)


@given(PIECES, CUTS, st.lists(st.sampled_from([b"Sum: 1", b"X: a b", b"Y:"]), min_size=1, max_size=4))
def test_trailers_of_an_answer_are_the_same_however_they_arrive(pieces: list[bytes], cuts: list[int], lines: list[bytes]) -> None:
    wire = b"".join(chunk(piece) for piece in pieces) + b"0\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + NEXT
    body = Body(CHUNKED, strict=False)
    assert taken(body, split(wire, cuts)) == (b"".join(pieces), NEXT)
    named: tuple[Field, ...] = tuple((line.partition(b":")[0], line.partition(b":")[2].strip()) for line in lines)
    assert (body.done, body.trailers) == (True, named)


@given(st.binary(max_size=120), CUTS, st.booleans())
def test_nonsense_is_refused_or_not_alike_however_it_arrives(data: bytes, cuts: list[int], strict: bool) -> None:
    def outcome(pieces: list[bytes]) -> tuple[bytes, bytes] | str:
        body = Body(CHUNKED, strict=strict)
        try:
            got, rest = taken(body, pieces)
        except Malformed:
            return "refused"
        return (got, rest) if body.done else "not done"

    whole = outcome([data])
    if whole != "not done":  # a line that comes in parts may be refused only once it is complete
        assert outcome(split(data, cuts)) == whole


@given(st.binary(max_size=40), st.sampled_from([b"\n", b"\r", b" ", b"\x00", b"-", b"x"]), st.integers(min_value=0, max_value=80))
def test_a_byte_too_much_anywhere_in_the_framing_is_never_read_as_the_body(data: bytes, stray: bytes, at: int) -> None:
    wire = chunk(data) + chunk(b"more") + last_chunk()
    framing = [m.start() for m in re.finditer(rb"\r\n", wire)]
    place = framing[at % len(framing)]
    body = Body(CHUNKED, strict=True)
    try:
        got, _ = taken(body, [wire[:place] + stray + wire[place:]])
    except Malformed:
        return
    assert not body.done or got != data + b"more" or stray in data + b"more"


# --- strictness --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [b"", b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5_0", b"g", b"5\t", b"1" * 16, "٥".encode(), b"5\n", b"5\r"],
    ids=["nothing", "0x", "plus", "minus", "a blank before", "a blank after", "underscore", "no digit", "a tab", "16 digits",
         "another script", "a bare LF", "a bare CR"],
)  # fmt: skip
@pytest.mark.parametrize("strict", [True, False])
def test_a_size_is_hexadecimal_digits_and_nothing_else(line: bytes, strict: bool) -> None:
    with pytest.raises(Malformed, match="no size"):
        Body(CHUNKED, strict=strict).take(bytearray(line + b"\r\nhello\r\n0\r\n\r\n"))


@pytest.mark.parametrize("line", [b"5;a", b"5;a=b", b'5;a="b"', b"5 ;a", b"0;a"])
def test_a_chunk_extension_is_refused_in_a_request_and_dropped_from_an_answer(line: bytes) -> None:
    wire = line + b"\r\n" + (b"hello\r\n0\r\n" if line[:1] == b"5" else b"") + b"\r\n"
    with pytest.raises(Malformed, match="extension"):
        Body(CHUNKED, strict=True).take(bytearray(wire))
    body = Body(CHUNKED, strict=False)
    assert body.take(bytearray(wire)) == (b"hello" if line[:1] == b"5" else b"")
    assert body.done


@pytest.mark.parametrize("wire", [b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n"])
def test_a_chunk_ends_where_it_says(wire: bytes) -> None:
    with pytest.raises(Malformed, match="longer"):
        Body(CHUNKED, strict=False).take(bytearray(wire))


@pytest.mark.parametrize("end", [b"X: 1\r\n\r\n", b"X", b"Content-Length: 5\r\n\r\n", b"\n\r\n"])
def test_trailers_of_a_request_are_refused(end: bytes) -> None:
    with pytest.raises(Malformed, match="trailers"):
        Body(CHUNKED, strict=True).take(bytearray(b"0\r\n" + end + b"  "))


def test_trailers_of_an_answer_are_as_strict_as_its_fields() -> None:
    with pytest.raises(Malformed):
        Body(CHUNKED, strict=False).take(bytearray(b"0\r\nX : 1\r\n\r\n"))


def test_trailers_and_sizes_have_a_limit() -> None:
    with pytest.raises(Malformed, match="too large"):
        Body(CHUNKED, strict=False).take(bytearray(b"0\r\n" + b"a: b\r\n" * TRAILERS_LIMIT))
    with pytest.raises(Malformed, match="no size"):
        Body(CHUNKED, strict=False).take(bytearray(b"5;" + b"a" * LINE_LIMIT))


def test_what_is_left_is_known_only_of_a_length() -> None:
    body = Body(10, strict=True)
    body.take(bytearray(b"1234"))
    assert body.left == 6
    assert Body(CHUNKED, strict=True).left is None


def test_a_body_of_no_bytes_is_done_and_takes_none() -> None:
    body, buffer = Body(0, strict=True), bytearray(NEXT)
    assert (body.done, body.take(buffer), bytes(buffer)) == (True, b"", NEXT)


# --- written ------------------------------------------------------------------------------------------------------------------


def test_no_data_makes_no_chunk() -> None:
    assert chunk(b"") == b""  # which would be the end
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_the_last_chunk_carries_the_trailers() -> None:
    assert (last_chunk(), last_chunk(((b"Sum", b"1"),))) == (b"0\r\n\r\n", b"0\r\nSum: 1\r\n\r\n")
