"""Cursors lead back to where they came from, and nothing else is one."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api import cursor
from control_api.faults import Invalid
from firewall.ids import new_id

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_what_was_encoded_is_decoded() -> None:
    identifier = new_id("act", 1)
    assert cursor.identifier(cursor.encode(identifier), "act") == identifier
    assert cursor.position(cursor.encode("17")) == 17
    assert cursor.instant(cursor.encode(AT.isoformat())) == AT
    assert cursor.identifier(None, "act") is None


def test_there_is_a_cursor_only_while_there_is_more() -> None:
    assert cursor.page([1, 2], 2, str) == ([1, 2], None)
    shown, more = cursor.page([1, 2, 3], 2, str)
    assert (shown, more) == ([1, 2], cursor.encode("2"))


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid):
        cursor.identifier(cursor.encode(new_id("agt", 1)), "act")


@given(st.text(max_size=60))
def test_nonsense_is_refused_and_never_fails(text: str) -> None:
    for read in (lambda: cursor.identifier(text, "act"), lambda: cursor.position(text), lambda: cursor.instant(text)):
        with suppress(Invalid):
            assert read() is not None
