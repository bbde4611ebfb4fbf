from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.client_hello import LIMIT, RECORDS, server_name
from firewall.errors import Malformed
from tests.firewall.hellos import ALPN, ECH, by_openssl, hello, message, names, records, vector

WHOLE = message(names(b"a.test"))
REAL = by_openssl("a.test")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (REAL, "a.test"),
        (by_openssl("xn--bcher-kva.test"), "xn--bcher-kva.test"),
        (hello("A.Test"), "a.test"),
        (hello("a.test", (ECH, b"outer"), (ALPN, b"\x00\x03\x02h2")), "a.test"),
        (records(WHOLE, (1, 3, 20)), "a.test"),
        (records(WHOLE) + b"\x14\x03\x03\x00\x01\x01", "a.test"),
        (records(WHOLE, version=0x0303), "a.test"),
        (records(message(names(b"a.test"), session=bytes(32), suites=bytes(64))), "a.test"),
    ],
    ids=["openssl", "an A-label", "capitals", "other extensions", "four records", "early data", "a record of TLS 1.2", "a session"],
)
def test_the_server_name_is_found(data: bytes, name: str) -> None:
    assert server_name(data) == server_name(bytearray(data)) == name


@pytest.mark.parametrize("whole", [REAL, records(WHOLE, (1, 3, 20))], ids=["one record", "four records"])
def test_every_beginning_of_a_hello_waits_for_more(whole: bytes) -> None:
    assert [server_name(whole[:length]) for length in range(len(whole))] == [None] * len(whole)


def nested(data: bytes) -> bytes:
    """A hello with one extension: these bytes as server_name."""
    return records(message((0, data)))


REFUSED = {
    "a letter": (b"G", "not TLS"),
    "an HTTP request": (b"GET / HTTP/1.1\r\n", "not TLS"),
    "an SSH greeting": (b"SSH-2.0-OpenSSH_9.6\r\n", "not TLS"),
    "a hello of SSL 2": (b"\x80\x2e\x01\x03\x01\x00\x15", "not TLS"),
    "an alert": (records(b"\x02\x28", kind=21), "not TLS"),
    "data": (records(b"data", kind=23), "not TLS"),
    "a record of another version": (b"\x16\x02\x00\x00\x05hello", "not TLS"),
    "other data in the middle of a hello": (records(WHOLE, (10,))[:15] + records(b"x", kind=23), "not TLS"),
    "a server's hello": (records(message(names(b"a.test"), kind=2)), "no ClientHello"),
    "an empty record": (records(WHOLE, (0,)), "empty"),
    "too many records": (records(WHOLE, (1,) * RECORDS), "too many records"),
    "too large a message": (records(b"\x01\xff\xff\xff" + bytes(100)), "too large"),
    "too large a record": (b"\x16\x03\x01\xff\xff\x01", "too large"),
    "too large in sum": (records(b"\x01" + (LIMIT - 4).to_bytes(3) + bytes(LIMIT), (LIMIT - 8,)), "too large"),
    "a second message in the record": (records(WHOLE + WHOLE), "follows"),
    "no server name": (by_openssl(""), "names no server"),
    "no extensions": (
        records(b"\x01" + vector(3, b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0")),
        "names no server",
    ),
    "a server name twice": (records(message(names(b"a.test"), names(b"b.test"))), "twice"),
    "another extension twice": (records(message(names(b"a.test"), (ALPN, b""), (ALPN, b""))), "twice"),
    "two names": (records(message(names(b"a.test", b"b.test"))), "nothing says"),
    "a name of another kind": (records(message(names(b"a.test", kind=1))), "names no server"),
    "an empty list": (nested(b"\0\0"), "cut off"),
    "an empty extension": (nested(b""), "cut off"),
    "a list that is longer than it says": (nested(names(b"a.test")[1] + b"x"), "nothing says"),
    "a list that is shorter than it says": (nested(b"\x00\xff\x00\x00\x01a"), "cut off"),
    "an empty name": (records(message(names(b""))), "empty"),
    "an address": (records(message(names(b"127.1"))), "neither"),
    "a name with a NUL": (records(message(names(b"a.test\0.evil.test"))), "not a host name"),
    "a name with a dot at its end": (records(message(names(b"a.test."))), "not a host name"),
    "a name beyond ASCII": (records(message(names("ä.test".encode()))), "ASCII"),
    "another version": (records(message(names(b"a.test"), version=0x0202)), "version"),
    "too long a session": (records(message(names(b"a.test"), session=bytes(33))), "length"),
    "half a cipher suite": (records(message(names(b"a.test"), suites=b"\x13\x01\x13")), "length"),
    "no cipher suite": (records(message(names(b"a.test"), suites=b"")), "length"),
    "no compression": (records(message(names(b"a.test"), compressions=b"")), "length"),
    "bytes after the extensions": (records(message(names(b"a.test"), after=b"x")), "nothing says"),
}


@pytest.mark.parametrize(("data", "word"), REFUSED.values(), ids=REFUSED.keys())
def test_what_two_readers_could_take_differently_is_refused(data: bytes, word: str) -> None:
    with pytest.raises(Malformed, match=word):
        server_name(data)


@given(st.binary(max_size=600))
def test_no_bytes_are_more_than_a_name_a_wait_or_a_refusal(data: bytes) -> None:
    with suppress(Malformed):
        assert server_name(data) is None


@given(st.integers(0, len(REAL) - 1), st.integers(0, 255))
def test_a_hello_with_one_byte_changed_is_no_more_than_that_either(at: int, byte: int) -> None:
    changed = REAL[:at] + bytes([byte]) + REAL[at + 1 :]
    try:
        found = server_name(changed)
    except Malformed:
        return
    place = REAL.index(b"a.test")
    assert found == "a.test" or found is None or place <= at < place + len("a.test")
