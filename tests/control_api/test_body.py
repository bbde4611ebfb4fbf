"""What counts as JSON here."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.body import DEPTH, decode, parse
from control_api.faults import BadBody, Invalid
from control_api.models import NewKey, Page

TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_reads_as_it_was_written(value: Any) -> None:
    assert decode(orjson.dumps(value)) == value


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_bounded(opening: bytes, closing: bytes) -> None:
    assert decode(opening * DEPTH + b"1" + closing * DEPTH) is not None
    for depth in (DEPTH + 1, 1000, 100_000):
        with pytest.raises(BadBody):
            decode(opening * depth + b"1" + closing * depth)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_are_refused_and_never_fail(raw: bytes) -> None:
    with suppress(BadBody):
        value = decode(raw)
        assert value == orjson.loads(raw)


def test_what_is_wrong_is_listed_without_the_value() -> None:
    with pytest.raises(Invalid) as caught:
        parse(NewKey, {"role": "hunter2", "name": 7})
    assert {problem["path"] for problem in caught.value.members["errors"]} == {"/role", "/name"}
    assert "hunter2" not in str(caught.value.members)


def test_the_detail_says_what_is_wrong_with_the_first_few_and_that_there_is_more() -> None:
    with pytest.raises(Invalid) as caught:
        parse(NewKey, {"role": "viewer", "name": "Ann", "a": 1, "b": 2, "c": 3, "d": 4})
    said = "Extra inputs are not permitted"
    assert caught.value.detail == f"body: /a: {said}; /b: {said}; /c: {said}; …"
    assert len(caught.value.members["errors"]) == 4


@pytest.mark.parametrize("seconds", ["60", True, 60.0, [60]])
def test_a_number_in_a_body_is_a_number_and_nothing_that_reads_like_one(seconds: Any) -> None:
    with pytest.raises(Invalid) as caught:
        parse(NewKey, {"role": "viewer", "name": "Ann", "expires_in": seconds})
    assert [problem["path"] for problem in caught.value.members["errors"]] == ["/expires_in"]
    assert parse(NewKey, {"role": "viewer", "name": "Ann", "expires_in": 60}).expires_in == 60


def test_in_a_query_a_number_is_text() -> None:
    assert parse(Page, {"limit": "7"}, "query").limit == 7
