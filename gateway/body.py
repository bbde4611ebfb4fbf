"""Bodies of HTTP/1 messages (RFC 9112, sections 6 and 7), taken from their framing as they come, and framed anew."""

import re
from typing import Final

from firewall.errors import Malformed
from gateway.fields import Field, read_fields

CHUNKED: Final = -1
"""In place of a length: chunked, so only its end will tell."""
TO_THE_END: Final = -2
"""In place of a length: the rest of the connection."""

LINE_LIMIT: Final = 256
TRAILERS_LIMIT: Final = 8 << 10
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})([\t ]*;[\t\x20-\x7e]*)?")


class Body:
    """Takes one body out of what arrives. `length`: bytes, CHUNKED or TO_THE_END. `strict`, for requests: nothing may ride along
    that a receiver could drop or read otherwise, neither chunk extensions nor trailers.

    `done`: the body is complete. `trailers`: what followed a chunked one.
    """

    __slots__ = ("_in_trailers", "_left", "_strict", "chunked", "done", "trailers")

    def __init__(self, length: int, *, strict: bool) -> None:
        self.chunked = length == CHUNKED
        self.done = length == 0
        self.trailers: tuple[Field, ...] = ()
        self._left = 0 if self.chunked else length
        self._strict = strict
        self._in_trailers = False

    @property
    def left(self) -> int | None:
        """Bytes that are still to come, where that is known."""
        return None if self.chunked or self._left < 0 else self._left

    @property
    def to_the_end(self) -> bool:
        return self._left == TO_THE_END

    def take(self, buffer: bytearray) -> bytes:
        """What of the body is in `buffer`, removed from it; what follows the body stays. Raises Malformed."""
        if self.done:
            return b""
        if self.chunked:
            return self._chunks(buffer)
        if self._left == TO_THE_END:
            data = bytes(buffer)
            buffer.clear()
            return data
        data = bytes(buffer[: self._left])
        del buffer[: len(data)]
        self._left -= len(data)
        self.done = self._left == 0
        return data

    def _chunks(self, buffer: bytearray) -> bytes:
        """`_left`: bytes until the end of the chunk, its CR LF included; 0 where a size is due."""
        pieces: list[bytes] = []
        at = 0
        while not self.done:
            if self._in_trailers:
                at = self._end(buffer, at)
                break
            if self._left > 2:
                piece = bytes(buffer[at : at + self._left - 2])
                if not piece:
                    break
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                continue
            if self._left:
                if len(buffer) - at < 2:
                    break
                if buffer[at : at + 2] != b"\r\n":
                    raise Malformed("a chunk is longer than it says")
                at, self._left = at + 2, 0
                continue
            end = buffer.find(b"\r\n", at, at + LINE_LIMIT)
            if end < 0:
                if len(buffer) - at >= LINE_LIMIT or b"\n" in buffer[at:]:
                    raise Malformed("a chunk has no size")
                break
            size = self._size(bytes(buffer[at:end]))
            at, self._left, self._in_trailers = end + 2, size + 2 if size else 0, size == 0
        del buffer[:at]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _size(self, line: bytes) -> int:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Malformed("a chunk has no size")
        if match[2] and self._strict:
            raise Malformed("a chunk has an extension")
        return int(match[1], 16)

    def _end(self, buffer: bytearray, at: int) -> int:
        if buffer[at : at + 2] == b"\r\n":
            self.done = True
            return at + 2
        end = buffer.find(b"\r\n\r\n", at, at + TRAILERS_LIMIT)
        if end < 0:
            if len(buffer) - at >= TRAILERS_LIMIT:
                raise Malformed("the trailers are too large")
            if self._strict and len(buffer) - at >= 2:
                raise Malformed("trailers are not taken")
            return at
        if self._strict:
            raise Malformed("trailers are not taken")
        self.trailers = read_fields(bytes(buffer[at:end]).split(b"\r\n"))
        self.done = True
        return end + 4


def chunk(data: bytes) -> bytes:
    """One chunk; nothing for no data, because an empty chunk is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: tuple[Field, ...] = ()) -> bytes:
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % field for field in trailers])
