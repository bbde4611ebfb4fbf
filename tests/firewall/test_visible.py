"""What an agent wrote cannot hide, move or outgrow what a person reads."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.visible import count, visible

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "visible.json").read_text())
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_cannot_be_seen_is_named(vector: dict[str, Any]) -> None:
    assert visible(vector["text"], vector.get("limit", 100), lines=vector.get("lines", False)) == vector["shown"]


@given(st.text(st.characters(), max_size=80), st.integers(0, 60), st.booleans())
def test_no_text_hides_anything_or_grows_beyond_its_bound(text: str, limit: int, lines: bool) -> None:
    shown = visible(text, limit, lines=lines)
    assert len(shown) <= limit
    allowed = "\n\t" if lines else ""
    assert [c for c in shown if unicodedata.category(c) in HIDDEN and c not in allowed] == []


@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_two_texts_that_differ_never_look_the_same(one: str, other: str) -> None:
    assert (visible(one, 10_000) == visible(other, 10_000)) is (one == other)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (23_400, "23 kB"),
        (1_500_000, "1.5 MB"),
        (3 * 10**9, "3.0 GB"),
    ],
)
def test_sizes_are_for_people(size: int, shown: str) -> None:
    assert count(size) == shown
