"""A body is shown as what it is: fields and values, files by their size, and no blob."""

import gzip

import pytest

from firewall.excerpt import LINES, SHOWN, Excerpt, excerpt_of
from firewall.redact import MASK
from firewall.request import parse


def of(body: bytes, content_type: str, coding: str = "") -> Excerpt:
    headers = [(b"Content-Type", content_type.encode()), *([(b"Content-Encoding", coding.encode())] if coding else [])]
    return excerpt_of(parse(method="POST", scheme="https", host="a", port=443, target=b"/", headers=headers, body=body))


def test_json_has_a_line_for_each_name() -> None:
    assert of(b'{"a":{"b":[1,2],"c":{}},"token":"x"}', "application/json").text.split("\n") == [
        "{", '  "a": {', '    "b": [', "      1,", "      2", "    ],", '    "c": {}', "  },", f'  "token": "{MASK}"', "}",
    ]  # fmt: skip


def test_json_that_does_not_parse_is_shown_too_and_said_to_be_broken() -> None:
    shown = of(b'{"amount": 1, "amount": 1000, ', "application/json")
    assert '"amount": 1,\n  "amount": 1000' in shown.text
    assert shown.note.startswith("30 bytes of application/json, ")


def test_a_form_is_a_list_of_fields() -> None:
    shown = of(b"a=1&b=x%20y&password=hunter2&c=%E2%80%AE", "application/x-www-form-urlencoded")
    assert shown.text == f"a: 1\nb: x y\npassword: {MASK}\nc: ⟦U+202E⟧"


def test_files_of_a_form_are_shown_by_their_name_and_size() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nhello\r\n'
        b'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nhunter2\r\n'
        b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        + b"\x89PNG" * 5750
        + b"\r\n--b--\r\n"
    )
    shown = of(body, "multipart/form-data; boundary=b")
    assert shown.text == f"title: hello\napi_key: {MASK}\nphoto: file a.png, 23 kB of image/png"


@pytest.mark.parametrize("body", [b"\x89PNG\x00\xff" * 3900, b"\xff\xfe" * 11_700])
def test_what_is_no_text_is_only_counted(body: bytes) -> None:
    assert of(body, "image/png") == Excerpt(text="", note="23 kB of image/png")


def test_a_compressed_body_is_shown_as_what_is_in_it() -> None:
    shown = of(gzip.compress(b'{"a": 1}'), "application/json", "gzip")
    assert (shown.text, shown.note.partition("of ")[2]) == ('{\n  "a": 1\n}', "application/json, in gzip")


def test_what_is_not_there_has_no_words() -> None:
    assert of(b"", "application/json") == Excerpt()


def test_much_is_cut() -> None:
    lines = of(b"[" + b"1," * 900 + b"1]", "application/json").text.split("\n")
    assert (len(lines), lines[-1].endswith(" more lines")) == (LINES + 1, True)
    long = of(b"a" * 100_000, "text/plain").text
    assert len(long) <= SHOWN
    assert long.endswith("a…")


def test_a_name_without_end_hides_its_value() -> None:
    assert of(b"a" * 2000 + b"=1", "application/x-www-form-urlencoded").text.endswith(f": {MASK}")


def test_fields_without_end_are_counted() -> None:
    body = "&".join(f"a{n}={'x' * 900}" for n in range(100)).encode()
    assert of(body, "application/x-www-form-urlencoded").text.endswith(("more", "…"))
