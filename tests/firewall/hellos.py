"""ClientHellos: OpenSSL's, and ones put together field by field."""

import ssl
import struct
from collections.abc import Sequence

SERVER_NAME, ECH, ALPN = 0, 0xFE0D, 16


def by_openssl(host: str) -> bytes:
    """What Python's ssl sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host or None)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size) + data


def names(*hosts: bytes, kind: int = 0) -> tuple[int, bytes]:
    """A server_name extension."""
    return SERVER_NAME, vector(2, b"".join(bytes([kind]) + vector(2, host) for host in hosts))


def message(
    *extensions: tuple[int, bytes],
    version: int = 0x0303,
    session: bytes = b"",
    suites: bytes = b"\x13\x01",
    compressions: bytes = b"\0",
    after: bytes = b"",
    kind: int = 1,
) -> bytes:
    """A handshake message."""
    body = struct.pack("!H", version) + bytes(32) + vector(1, session) + vector(2, suites) + vector(1, compressions)
    body += vector(2, b"".join(struct.pack("!H", number) + vector(2, data) for number, data in extensions)) + after
    return bytes([kind]) + vector(3, body)


def records(data: bytes, sizes: Sequence[int] = (), *, kind: int = 22, version: int = 0x0301) -> bytes:
    """`data` in records of these sizes, and one for the rest."""
    found = b""
    for size in (*sizes, len(data)):
        piece, data = data[:size], data[size:]
        if piece or size == 0:
            found += bytes([kind]) + struct.pack("!H", version) + vector(2, piece)
    return found


def hello(host: str = "pinned.test", *more: tuple[int, bytes]) -> bytes:
    return records(message(names(host.encode()), *more))
