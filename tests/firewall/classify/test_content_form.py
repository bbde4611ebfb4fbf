import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.classify.content_form import FIELDS, read_form
from firewall.classify.content_type import Unreadable


def test_fields_are_bounded() -> None:
    assert len(read_form(b"a=1&" * (FIELDS - 1) + b"a=1")) == FIELDS
    with pytest.raises(Unreadable, match="fields"):
        read_form(b"a=1&" * FIELDS + b"a=1")


def test_a_semicolon_in_a_value_is_a_value() -> None:
    assert read_form(b"text=one;+two") == (("text", "one; two"),)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_escaping_what_needs_none_changes_nothing(fields: list[tuple[str, str]]) -> None:
    try:
        raw = [[text.encode() for text in pair] for pair in fields]
    except UnicodeEncodeError:
        return
    body = "&".join("=".join("".join(f"%{byte:02x}" for byte in text) for text in pair) for pair in raw)
    assert read_form(body.encode()) == tuple(fields)
