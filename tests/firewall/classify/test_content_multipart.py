import pytest

from firewall.classify.content_multipart import PARTS, Part, read_multipart
from firewall.classify.content_type import Unreadable, read_content_type

FORM = read_content_type("multipart/form-data; boundary=b")
MIXED = read_content_type('Multipart/Mixed; boundary="b c"')


def test_parts_come_in_order_with_their_headers_and_what_is_nested_is_data() -> None:
    inner = b"--x\r\n\r\nGET / HTTP/1.1\r\n--x--"
    body = b"--b c\r\nContent-Type: multipart/mixed; boundary=x\r\nX-A: 1\r\n\r\n" + inner + b"\r\n--b c\r\n\r\n\r\n--b c--\r\n"
    first, second = read_multipart(body, MIXED)
    assert (first.media_type, first.field("x-a"), first.data) == ("multipart/mixed", "1", inner)
    assert second == Part(data=b"")


def test_a_line_end_before_the_first_boundary_is_nothing() -> None:
    body = b'\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--b--\r\n'
    assert [part.name for part in read_multipart(body, FORM)] == ["a"]


@pytest.mark.parametrize(
    ("parameters", "file_name"),
    [
        ('; filename="a b.txt"', "a b.txt"),
        ("; filename=a.txt", "a.txt"),
        (r'; filename="C:\dir\a.txt"', r"C:\dir\a.txt"),
        ("; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ("; filename=\"_.txt\"; filename*=utf-8''%e2%82%ac.txt", "€.txt"),
        ('; filename=""', ""),
        ("", None),
    ],
)
def test_file_names_are_kept(parameters: str, file_name: str | None) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="f"{parameters}\r\n\r\n1\r\n--b--'.encode()
    assert [part.file_name for part in read_multipart(body, FORM)] == [file_name]


def test_parts_are_bounded() -> None:
    part = b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b'
    assert len(read_multipart(b"--b" + part * PARTS + b"--", FORM)) == PARTS
    with pytest.raises(Unreadable, match="parts"):
        read_multipart(b"--b" + part * (PARTS + 1) + b"--", FORM)


def test_the_header_of_a_part_is_bounded() -> None:
    for header in (b"X: " + b"a" * 9000, b"\r\n".join(b"X%d: a" % number for number in range(40)), b"X\x00: a", b"X: \xff"):
        with pytest.raises(Unreadable):
            read_multipart(b"--b\r\n" + header + b"\r\n\r\n1\r\n--b--", read_content_type("multipart/mixed; boundary=b"))
