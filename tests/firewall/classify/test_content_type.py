import pytest

from firewall.classify.content_type import Unreadable, as_utf8, read_content_type


def test_a_content_type_is_its_media_type_and_its_parameters() -> None:
    found = read_content_type(' Text/HTML ;Charset="a\\"b" ; q=1;')
    assert (found.media_type, dict(found.parameters)) == ("text/html", {"charset": 'a"b', "q": "1"})
    assert read_content_type("").media_type == ""


@pytest.mark.parametrize(
    "text", ["json", "a/b c/d", "a/b, c/d", "a/b;x", 'a/b;x="', "a/b;x=1;X=2", "a/b;x=1,2", "/", "a/", "a/b" + "b" * 600, "a/b\x00"]
)
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_content_type(text)


def test_the_kinds_that_are_read_here() -> None:
    assert [read_content_type(text).is_json for text in ("application/problem+json", "text/json", "application/jsonx")] == [
        True,
        True,
        False,
    ]
    assert read_content_type("multipart/mixed").is_multipart
    assert read_content_type("application/x-www-form-urlencoded").is_form


def test_a_text_in_another_charset_is_read_where_it_can_be_read_in_one_way() -> None:
    assert as_utf8(b"abc", "windows-1252") == b"abc"
    assert as_utf8("é".encode("latin-1"), "ISO-8859-1") == "é".encode()
    for data, charset in ((b"a", "utf-7"), (b"\x81", "windows-1252"), ("é".encode(), "latin1"), (b"a", "iso-8859-12" * 9)):
        with pytest.raises(Unreadable):
            as_utf8(data, charset)
