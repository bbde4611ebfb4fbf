import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from firewall.classify.content_coding import CHUNKS, FREE, INFLATED_LIMIT, RATIO, decoded
from firewall.classify.content_type import Unreadable


def deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": deflate,
    "br": lambda data: brotli.compress(data, quality=3),
    "zstd": zstandard.ZstdCompressor(level=19).compress,
}
EACH = pytest.mark.parametrize("coding", sorted(CODERS))


@EACH
@pytest.mark.parametrize("data", [b"", b"a", b'{"a":1}' * 20_000, bytes(range(256)) * 1000])
def test_a_coding_is_undone(coding: str, data: bytes) -> None:
    assert decoded(CODERS[coding](data), coding.upper()) == data


def test_codings_are_undone_in_the_order_in_which_they_were_applied_and_two_at_most() -> None:
    assert decoded(brotli.compress(gzip.compress(b"a")), "gzip, br") == b"a"
    assert decoded(b"a", "identity, ,identity,") == b"a"
    with pytest.raises(Unreadable, match="more than 2"):
        decoded(b"a", "gzip, gzip, gzip")


@EACH
def test_a_bomb_is_refused(coding: str) -> None:
    with pytest.raises(Unreadable, match="too large"):
        decoded(CODERS[coding](bytes(100_000_000)), coding)
    if coding != "zstd":
        with pytest.raises(Unreadable, match="too large"):
            decoded(CODERS[coding](CODERS[coding](bytes(200_000_000))), f"{coding}, {coding}")


def test_what_is_small_may_grow_and_what_is_large_may_not_exceed_the_limit() -> None:
    assert len(decoded(gzip.compress(bytes(FREE)), "gzip")) == FREE
    assert FREE + RATIO < INFLATED_LIMIT


@EACH
def test_a_stream_that_ends_early_or_goes_on_is_refused(coding: str) -> None:
    coded = CODERS[coding](b"hello" * 50)
    for broken in (coded[:-1], coded[: len(coded) // 2], b"", coded + b"x", coded + coded, b"junk" + coded):
        with pytest.raises(Unreadable):
            decoded(broken, coding)


def test_a_coding_that_is_not_known_or_not_as_it_is_said_is_refused() -> None:
    for data, coding in (
        (b"a", "compress"),
        (b"a", "gzip"),
        (raw_deflate(b"a"), "deflate"),
        (b"{}", "aws-chunked"),
        (b"a", "g zip"),
    ):
        with pytest.raises(Unreadable):
            decoded(data, coding)


@pytest.mark.parametrize(
    ("data", "coding", "plain"),
    [
        (b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "aws-chunked", b"abc"),
        (b"1;chunk-signature=" + b"0" * 64 + b"\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "aws-chunked", b"abc"),
        (b"%x\r\n%b\r\n0\r\n\r\n" % (len(gzip.compress(b"abc")), gzip.compress(b"abc")), "aws-chunked,gzip", b"abc"),
    ],
)
def test_amazons_chunks_are_put_together(data: bytes, coding: str, plain: bytes) -> None:
    assert decoded(data, coding) == plain


@pytest.mark.parametrize(
    "data", [b"", b"3\r\nab", b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n{}", b"fffffffff\r\n", b'{"a":1}', b"-1\r\n"]
)
def test_what_is_no_chunk_of_amazons_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(data, "aws-chunked")


def test_many_small_chunks_are_refused() -> None:
    assert decoded(b"1\r\na\r\n" * (CHUNKS - 1) + b"0\r\n\r\n", "aws-chunked") == b"a" * (CHUNKS - 1)
    with pytest.raises(Unreadable):
        decoded(b"1\r\na\r\n" * CHUNKS + b"0\r\n\r\n", "aws-chunked")
