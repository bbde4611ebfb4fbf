import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.classify.content import MISSING, NOTHING, Content, read_content

BODIES = json.loads((Path(__file__).parents[2] / "vectors" / "bodies.json").read_text())


def read(body: bytes, content_type: str = "application/json", content_encoding: str = "", truncated: bool = False) -> Content:
    return read_content(body, content_type=content_type, content_encoding=content_encoding, truncated=truncated)


@pytest.mark.parametrize("vector", BODIES, ids=lambda vector: vector["name"])
def test_what_can_be_read_in_two_ways_is_a_problem(vector: dict[str, str]) -> None:
    found = read(vector["body"].encode(), vector["content_type"])
    assert vector["problem"] in found.problem
    assert found.structured
    zipped = read(gzip.compress(vector["body"].encode()), vector["content_type"], "gzip")
    assert vector["problem"] in zipped.problem


def test_json_is_read_and_null_is_a_value() -> None:
    assert read(b"null").json is None
    assert read(b'{"a":[1,2.5,"x"]}').json == {"a": [1, 2.5, "x"]}
    assert read(b"{").json is MISSING


def test_no_body_is_no_problem() -> None:
    assert read(b"") is NOTHING
    assert read(b"", "multipart/form-data") is NOTHING


def test_a_beginning_is_a_problem() -> None:
    assert read(b"", truncated=True).problem
    assert read(b'{"a":1', "", truncated=True) == Content(data=b'{"a":1', problem="only its beginning was read", structured=True)
    assert not read(b"PNG", "image/png", truncated=True).structured


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "application/vnd.api+json; charset=UTF-8"])
def test_what_looks_like_json_is_read_as_json_whatever_its_type_says(content_type: str) -> None:
    assert read(b' {"a":1}', content_type).json == {"a": 1}


@pytest.mark.parametrize("body", ["[link](x)", "{not json}", "plain", "\x00\x01{", "é{"])
def test_text_that_only_begins_like_json_is_text(body: str) -> None:
    assert read(body.encode(), "text/plain") == Content(data=body.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_in_another_encoding_is_a_problem(encoding: str) -> None:
    for content_type in ("application/json", ""):
        assert read('{"a":1}'.encode(encoding), content_type).problem


def test_latin_1_that_is_nothing_else_is_read() -> None:
    assert read('{"a":"é"}'.encode("latin-1"), "application/json; charset=latin1").json == {"a": "é"}
    assert read('{"a":"é"}'.encode("latin-1")).problem


def test_a_form_keeps_its_order_its_duplicates_and_its_blanks() -> None:
    found = read(b"a=1&b&a=%2F+", "application/x-www-form-urlencoded")
    assert (found.form, found.problem, found.json) == ((("a", "1"), ("b", ""), ("a", "/ ")), "", MISSING)


def test_a_form_of_parts_has_fields_and_files() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\n'
        b'Content-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: image/png\r\n\r\n\xff\r\n--b--\r\n'
    )
    found = read(body, "multipart/form-data; boundary=b")
    assert (found.form, found.problem) == ((("a", "1"),), "")
    assert found.parts is not None
    assert [(part.name, part.file_name, part.media_type, part.data) for part in found.parts] == [
        ("a", None, "", b"1"),
        ("f", "x.bin", "image/png", b"\xff"),
    ]


def test_a_field_that_is_not_text_is_a_problem() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--'
    assert "UTF-8" in read(body, "multipart/form-data; boundary=b").problem


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from([None, 1]), st.booleans())
def test_good_json_is_no_problem_however_it_is_written(value: Any, indent: int | None, ascii_only: bool) -> None:
    found = read(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode())
    assert (found.json, found.problem) == (value, "")


@given(st.lists(st.tuples(st.text(max_size=3), JSON_VALUES), min_size=1, max_size=6))
def test_a_name_that_stands_twice_is_always_found(pairs: list[tuple[str, Any]]) -> None:
    body = b"{" + b",".join(orjson.dumps(name) + b":" + json.dumps(value).encode() for name, value in pairs) + b"}"
    names = [name for name, _ in pairs]
    found = read(body)
    assert (found.problem == "duplicate keys") == (len(set(names)) < len(names))


TYPES = ["", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "x"]
CODINGS = ["", "gzip", "br", "zstd", "deflate", "gzip, br", "gzip, gzip, gzip", "nonsense"]


@given(
    st.binary(max_size=300) | st.text('{}[]":,\\u0a1 \r\n-=&;%bn', max_size=80).map(str.encode),
    st.sampled_from(["", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "x"])
    | st.text(),
    st.sampled_from(CODINGS) | st.text(),
    st.booleans(),
)
def test_any_bytes_are_read_or_a_problem_and_always_the_same(body: bytes, content_type: str, coding: str, truncated: bool) -> None:
    first = read(body, content_type, coding, truncated)
    assert first == read(body, content_type, coding, truncated)
    if first.problem:
        assert first.form is None
        assert first.parts is None
