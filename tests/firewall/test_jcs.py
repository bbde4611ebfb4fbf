"""RFC 8785: the examples that it publishes, and what has no canonical form."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall import jcs

NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
"""RFC 8785, appendix B: IEEE 754 bits and the text."""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(("bits", "expected"), NUMBERS.items())
def test_a_number_is_written_as_the_rfc_writes_it(bits: str, expected: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert jcs.text(number) == expected


def test_the_example_of_section_3_2_2_is_written_as_there() -> None:
    given = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )  # fmt: skip
    assert jcs.text(json.loads(given)) == expected


def test_keys_are_ordered_by_utf_16_as_in_section_3_2_3() -> None:
    given = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip
    assert list(json.loads(jcs.text(given)).values()) == order


def test_control_characters_are_escaped_and_nothing_else_is() -> None:
    assert jcs.text("\b\t\n\f\r\x1f\x7f\u2028/é😀") == '"\\b\\t\\n\\f\\r\\u001f\x7f\u2028/é😀"'


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\udc00": 1}, {1: 2}, {None: 1}, b"a", {"a": {1}}, object()],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        jcs.text([value])


def test_what_is_nested_too_deep_is_refused_and_no_defect() -> None:
    def nested(levels: int) -> Any:
        return json.loads("[" * levels + "]" * levels)

    assert jcs.text(nested(jcs.DEPTH + 1)) == "[" * (jcs.DEPTH + 1) + "]" * (jcs.DEPTH + 1)
    with pytest.raises(ValueError, match="nested deeper"):
        jcs.text(nested(jcs.DEPTH + 2))


@given(VALUES)
def test_the_text_is_read_back_as_the_value_and_written_as_the_same_text(value: Any) -> None:
    text = jcs.text(value)
    assert json.loads(text, parse_int=float) == value
    assert jcs.text(json.loads(text, parse_int=float)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_as_itself(number: float) -> None:
    assert float(jcs.text(number)) == number


@given(st.dictionaries(st.text(max_size=3, alphabet="abcé😀"), st.integers(0, 9), max_size=5), st.randoms())
def test_the_order_in_which_keys_are_given_does_not_matter(value: dict[str, int], random: Any) -> None:
    pairs = list(value.items())
    random.shuffle(pairs)
    assert jcs.text(dict(pairs)) == jcs.text(value)
