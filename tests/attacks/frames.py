"""HTTP/2 frames as data (RFC 9113, section 4; RFC 7541), for peers that keep to no rule.

A frame in a file is an object: `headers` (a list of pairs; `<get>` and `<post>` stand for the four pseudo-header fields),
`continuation` and `trailers` (such a list too), `data` (text), `block` (a header block in hex), `frame` (a type by number, with
`payload` in hex) or `raw` (text, no frame at all). Beside it `stream` (1 where it is left out), `end`, `open` (END_HEADERS is not
set), `flags`, `length` (what the frame says, not what it has). `times` repeats a frame or the list `each`; `step` is added to the
stream each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4

FrameData = Mapping[str, Any]
Pairs = Sequence[Any]


def frame(kind: int, flags: int, stream: int, payload: bytes, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return size.to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def block(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Each field literally, without an index and without Huffman's code (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in pairs)


def _string(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _integer(len(raw), 7) + raw


def _integer(value: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    value -= most
    found = bytearray([most])
    while value >= 128:
        found.append(value % 128 | 128)
        value //= 128
    return bytes([*found, value])


def pairs(given: Pairs, marks: Mapping[str, str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in given:
        if isinstance(one, str):
            method = {"<get>": "GET", "<post>": "POST"}[one]
            found += [(":method", method), (":scheme", "https"), (":authority", "up.test"), (":path", "/first")]
        else:
            name, value, *times = one
            for mark, stands_for in marks.items():
                value = value.replace(mark, stands_for)
            found.append((name, value * (times[0] if times else 1)))
    return found


def encoded(frames: Sequence[FrameData], marks: Mapping[str, str], more: int = 0) -> Iterator[bytes]:
    """`more`: is added to each stream."""
    for one in frames:
        for number in range(one.get("times", 1)):
            by = more + number * one.get("step", 0)
            if "each" in one:
                yield from encoded(one["each"], marks, by)
            else:
                yield _one(one, marks, by)


def _one(one: FrameData, marks: Mapping[str, str], more: int) -> bytes:
    stream = one.get("stream", 1)
    stream = stream + more if stream else 0
    end = END_STREAM if one.get("end") else 0
    last = 0 if one.get("open") else END_HEADERS
    length = one.get("length")
    match one:
        case {"raw": str(text)}:
            return text.encode("latin-1")
        case {"headers": given}:
            return frame(HEADERS, one.get("flags", end | last), stream, block(pairs(given, marks)), length)
        case {"trailers": given}:
            return frame(HEADERS, one.get("flags", END_STREAM | last), stream, block(pairs(given, marks)), length)
        case {"continuation": given}:
            return frame(CONTINUATION, one.get("flags", last), stream, block(pairs(given, marks)), length)
        case {"block": str(text)}:
            return frame(HEADERS, one.get("flags", end | last), stream, bytes.fromhex(text), length)
        case {"data": str(text)}:
            return frame(DATA, one.get("flags", end), stream, text.encode("latin-1") * one.get("size", 1), length)
        case {"frame": int(kind)}:
            return frame(kind, one.get("flags", 0), stream, bytes.fromhex(one.get("payload", "")), length)
    raise AssertionError(one)


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes


class Reader:
    """Takes frames out of bytes, and takes none of them amiss."""

    def __init__(self, *, preface: bool) -> None:
        self._buffer = bytearray()
        self._preface = preface

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        if self._preface and len(self._buffer) >= len(PREFACE):
            self._preface = False
            del self._buffer[: len(PREFACE)]
        while not self._preface and len(self._buffer) >= 9:
            size = 9 + int.from_bytes(self._buffer[:3])
            if len(self._buffer) < size:
                return
            head, payload = self._buffer[:9], bytes(self._buffer[9:size])
            del self._buffer[:size]
            yield Frame(head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFFFFFF, payload)
