import pytest

from firewall.backends.opa_link import MAX_BODY, Broken, Place, parse_url, read_answer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_answer_is_read_however_it_is_cut() -> None:
    for whole in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"):
        for cut in range(len(whole)):
            assert read_answer(bytearray(whole[:cut])) is None
        assert read_answer(bytearray(whole)) == (200, b"hello", True)


def test_close_is_noticed() -> None:
    assert read_answer(bytearray(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")) == (200, b"", False)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        CHUNKED + b"zz\r\n",
        CHUNKED + b"0000000000000000",
        CHUNKED + b"1\r\nxx\r\n",
        CHUNKED + b"fffffff\r\n",
        CHUNKED + b"0\r\n\r\nmore",
    ],
)
def test_what_two_readers_could_read_differently_is_broken(raw: bytes) -> None:
    with pytest.raises(Broken):
        read_answer(bytearray(raw))


def test_places() -> None:
    assert parse_url("unix:///run/opa.sock") == Place(path="/run/opa.sock")
    assert parse_url("http://127.0.0.1:8181/") == Place(host="127.0.0.1", port=8181)
    assert parse_url("https://opa.internal").port == 443
    assert parse_url("http://[::1]:8181").authority == "[::1]:8181"


@pytest.mark.parametrize("url", ["opa", "unix://x/y", "http://u:p@h", "ftp://h", "http://h/path", "http://h?x", "https://"])
def test_a_url_that_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL of OPA"):
        parse_url(url)
