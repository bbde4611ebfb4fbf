"""The head of the binary: what it is, what it was made from, where its arrays lie, and whether it is whole."""

from zlib import crc32

from firewall.classify.catalog.layout import ARRAYS, CHECKED, HEAD, MAGIC


class Damaged(ValueError):
    """Bytes that are no index, or not of this version."""


def texts_of(data: bytes | memoryview) -> bytes:
    """SHA-256 of what the binary was made from. Raises Damaged."""
    return bytes(_head(memoryview(data))[1])


def check(data: bytes | memoryview) -> None:
    """Reads all of it. Raises Damaged where a byte is another than was written."""
    view = memoryview(data)
    if crc32(view[CHECKED:]) != _head(view)[2]:
        raise Damaged("its check sum is wrong")


def arrays_of(data: bytes | memoryview) -> dict[str, memoryview]:
    """Name → bytes. Raises Damaged."""
    view = memoryview(data)
    parts = zip(ARRAYS, _head(view)[3], strict=True)
    return {name: view[start : start + length] for name, (start, length) in parts}


def _head(view: memoryview) -> tuple[bytes, bytes, int, list[tuple[int, int]]]:
    if len(view) < HEAD.size:
        raise Damaged("shorter than a head")
    magic, texts, checksum, *numbers = HEAD.unpack_from(view)
    if magic != MAGIC:
        raise Damaged("not of this version")
    arrays = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(start % 8 or length % 4 or start + length > len(view) for start, length in arrays[:-1]):
        raise Damaged("its arrays do not lie within it")
    if sum(arrays[-1]) > len(view) or (len(view) - arrays[-1][0] - arrays[-1][1]) >= 8:
        raise Damaged("cut off, or longer than it says")
    return magic, texts, checksum, arrays
