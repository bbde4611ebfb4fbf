"""The server name in a TLS ClientHello (RFC 8446, section 4.1.2; RFC 6066, section 3), read strictly: what two readers could take
differently is refused. Of hosts that are passed through, it is all that is read.

With Encrypted ClientHello the name found here is the outer one.
"""

from firewall.errors import Malformed
from firewall.request import canonical_host

RECORDS = 4
LIMIT = 16 << 10
"""Records and bytes that a ClientHello may take."""

_HEADER = 5
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _HOST_NAME = 0, 0


def server_name(data: bytes | bytearray) -> str | None:
    """The canonical name, or None as long as `data` is only the beginning of a ClientHello. What follows the ClientHello's last
    record is not looked at. Raises Malformed."""
    message = _message(data)
    return None if message is None else _name(_extension(message))


def _message(data: bytes | bytearray) -> bytes | None:
    """The handshake message, out of its records; None while it is not whole."""
    pieces: list[bytes] = []
    at = 0
    while True:
        if len(pieces) == RECORDS:
            raise Malformed("the ClientHello is in too many records")
        if any(byte != wanted for byte, wanted in zip(data[at : at + 2], (_HANDSHAKE, 3), strict=False)):
            raise Malformed("what was sent is not TLS")
        if len(data) < at + _HEADER:
            return None
        length = int.from_bytes(data[at + 3 : at + _HEADER])
        if length == 0:
            raise Malformed("a TLS record is empty")
        if at + _HEADER + length > LIMIT:
            raise Malformed("the ClientHello is too large")
        if len(data) < at + _HEADER + length:
            return None
        pieces.append(bytes(data[at + _HEADER : at + _HEADER + length]))
        at += _HEADER + length
        message = b"".join(pieces)
        if message[0] != _CLIENT_HELLO:
            raise Malformed("the first TLS message is no ClientHello")
        if len(message) >= 4:
            end = 4 + int.from_bytes(message[1:4])
            if end > LIMIT:
                raise Malformed("the ClientHello is too large")
            if len(message) > end:
                raise Malformed("something follows the ClientHello in its record")
            if len(message) == end:
                return message[4:]


class _Reader:
    """Takes vectors off the front. Raises Malformed where there are fewer bytes than their length says."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Malformed("the ClientHello is cut off inside")
        self._at += count
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed("the ClientHello has bytes that nothing says the meaning of")

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


def _extension(message: bytes) -> bytes:
    """The server_name extension."""
    reader = _Reader(message)
    if reader.number(2) >> 8 != 3:
        raise Malformed("the ClientHello is of no version of TLS")
    reader.take(32)
    session, suites, compressions = reader.vector(1), reader.vector(2), reader.vector(1)
    if len(session) > 32 or not suites or len(suites) % 2 or not compressions:
        raise Malformed("the ClientHello has a length that cannot be")
    extensions = _Reader(reader.vector(2)) if reader.more else _Reader(b"")
    reader.end()
    found: dict[int, bytes] = {}
    while extensions.more:
        kind = extensions.number(2)
        if kind in found:
            raise Malformed("the ClientHello has an extension twice")
        found[kind] = extensions.vector(2)
    if _SERVER_NAME not in found:
        raise Malformed("the ClientHello names no server")
    return found[_SERVER_NAME]


def _name(extension: bytes) -> str:
    reader = _Reader(extension)
    names = _Reader(reader.vector(2))
    reader.end()
    if names.number(1) != _HOST_NAME:
        raise Malformed("the ClientHello names no server")
    raw = names.vector(2)
    names.end()
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("the server name is not ASCII") from None
    return canonical_host(text)
