"""Content codings undone, within bounds (RFC 9110, section 8.4; RFC 1950 to 1952, 7932, 8878)."""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import brotli
import zstandard

from firewall.classify.content_type import Unreadable

INFLATED_LIMIT: Final = 8 << 20
"""Bytes of a body without its codings."""
FREE: Final = 1 << 20
RATIO: Final = 200
"""Beyond `FREE` bytes, a coding may make of one byte at most this many. Text reaches 20, logs 100, bombs 1,000 and more."""
CODINGS_LIMIT: Final = 2
_STEP: Final = 1 << 16
_WINDOW: Final = 8 << 20
"""Bytes that a zstd frame may look back (RFC 9659)."""

AWS_CHUNKED: Final = "aws-chunked"
CHUNKS: Final = 2000
"""Amazon wants 8 KiB in each but the last."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;chunk-signature=[0-9a-f]{64})?\r\n")
_TRAILER = re.compile(rb"(?:[A-Za-z0-9-]{1,100}:[!-~ ]{0,500}\r\n){0,20}(?:\r\n)?")

_TOO_LARGE = "the body is too large without its content coding"


def decoded(data: bytes, content_encoding: str) -> bytes:
    """Raises Unreadable for unknown codings, more than two, a stream that ends early or goes on after its end, and bombs."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if AWS_CHUNKED in names:  # the outermost, wherever it stands: Amazon writes it first
        names.remove(AWS_CHUNKED)
        data = _unchunked(data)
    if len(names) > CODINGS_LIMIT:
        raise Unreadable(f"more than {CODINGS_LIMIT} content codings")
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise Unreadable(f"content coding {name[:40]!r} is not read here")
        data = decoder(data, min(INFLATED_LIMIT, FREE + RATIO * len(data)))
    return data


def _unchunked(data: bytes) -> bytes:
    """Amazon S3's signed chunks (SigV4, "Transferring payload in multiple chunks"), with their trailer."""
    plain, at = bytearray(), 0
    for _ in range(CHUNKS):
        match = _CHUNK.match(data, at)
        if match is None:
            break
        size, at = int(match[1], 16), match.end()
        if size == 0:
            if _TRAILER.fullmatch(data, at) is None:
                break
            return bytes(plain)
        plain += data[at : at + size]
        at += size
        if data[at : at + 2] != b"\r\n":
            break
        at += 2
    raise Unreadable("the content coding is broken: no chunks of Amazon's")


def _zlib(data: bytes, limit: int, wbits: int) -> bytes:
    inflater = zlib.decompressobj(wbits=wbits)
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise Unreadable(f"the content coding is broken: {error}") from None
    if len(plain) > limit:
        raise Unreadable(_TOO_LARGE)
    if not inflater.eof:
        raise Unreadable("the content coding ends early")
    if inflater.unused_data:  # a second member: some servers read on, others stop
        raise Unreadable("there is more behind the end of the content coding")
    return plain


def _gzip(data: bytes, limit: int) -> bytes:
    return _zlib(data, limit, 31)


def _deflate(data: bytes, limit: int) -> bytes:
    """With the zlib wrapper, as RFC 9110 says; a bare stream, which some senders send, is refused."""
    return _zlib(data, limit, 15)


def _brotli(data: bytes, limit: int) -> bytes:
    inflater = brotli.Decompressor()
    plain = bytearray()
    try:
        while not inflater.is_finished():
            step = inflater.process(data, output_buffer_limit=_STEP)
            if not step and not data:
                raise Unreadable("the content coding ends early")
            plain += step
            data = b""
            if len(plain) > limit:
                raise Unreadable(_TOO_LARGE)
    except brotli.error as error:
        raise Unreadable(f"the content coding is broken: {error}") from None
    return bytes(plain)


def _zstd(data: bytes, limit: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        # This reader is bounded but does not say where the frame ended; the other one says it but is not bounded.
        if len(decompressor.stream_reader(data).read(limit + 1)) > limit:
            raise Unreadable(_TOO_LARGE)
        inflater = decompressor.decompressobj()
        plain = inflater.decompress(data)
    except zstandard.ZstdError as error:
        raise Unreadable(f"the content coding is broken: {error}") from None
    if not inflater.eof:
        raise Unreadable("the content coding ends early")
    if inflater.unused_data:
        raise Unreadable("there is more behind the end of the content coding")
    return plain


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
