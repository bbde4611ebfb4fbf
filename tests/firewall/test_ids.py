from typing import get_args
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.ids import Prefix, from_uuid, new_id, to_uuid

PREFIXES: tuple[Prefix, ...] = get_args(Prefix)
TIMES = st.integers(0, 2**48 - 1)


@given(st.sampled_from(PREFIXES), TIMES)
def test_an_identifier_is_a_uuid_of_version_7_that_begins_with_its_time(prefix: Prefix, now_ms: int) -> None:
    identifier = new_id(prefix, now_ms)
    value = to_uuid(identifier)
    assert (value.version, value.variant) == (7, RFC_4122)
    assert value.int >> 80 == now_ms
    assert from_uuid(prefix, value) == identifier


def test_the_example_of_rfc_9562_has_the_same_fields() -> None:
    example = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")  # appendix A.6
    made = to_uuid(new_id("act", 0x017F22E279B0))
    assert (made.int >> 80, made.version, made.variant) == (example.int >> 80, example.version, example.variant)


@given(TIMES, TIMES)
def test_identifiers_sort_by_time(one: int, other: int) -> None:
    earlier, later = sorted([one, other])
    assert earlier == later or new_id("act", earlier) < new_id("act", later)


def test_no_two_of_one_millisecond_are_the_same_and_every_random_bit_varies() -> None:
    made = [to_uuid(new_id("act", 1)).int for _ in range(1000)]
    assert len(set(made)) == 1000
    varying = 0
    for value in made:
        varying |= value ^ made[0]
    assert varying == 0xFFF << 64 | (1 << 62) - 1


@given(st.sampled_from(PREFIXES), st.uuids())
def test_what_the_database_keeps_comes_back(prefix: Prefix, value: UUID) -> None:
    assert to_uuid(from_uuid(prefix, value)) == value


DIGITS = "0193f0c2a4b07c3e8f1d2a3b4c5d6e7f"


@pytest.mark.parametrize(
    "text",
    [
        "", "act", "act_", DIGITS, f"_{DIGITS}", f"act-{DIGITS}", f"act__{DIGITS[1:]}", f"act_{DIGITS[1:]}", f"act_{DIGITS}0",
        f"act_{DIGITS.upper()}", f"ACT_{DIGITS}", f"act_{DIGITS} ", f"act_{DIGITS}\n", f" act_{DIGITS}", f"act_0x{DIGITS[2:]}",
        f"act_+{DIGITS[1:]}", f"act_ {DIGITS[1:]}", f"act_0_{DIGITS[2:]}", f"act_{{{DIGITS[2:]}}}", f"act_{'١' * 32}",
        f"act_{'g' * 32}", "act_0193f0c2-a4b0-7c3e-8f1d-2a3b4c5d6e7f", f"act_urn:{DIGITS[4:]}", f"act_{DIGITS}_",
    ],
)  # fmt: skip
def test_what_is_not_written_as_an_identifier_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        to_uuid(text)


@given(st.text(max_size=40))
def test_no_two_texts_are_one_identifier(text: str) -> None:
    for candidate in (text, f"act_{text}", f"act_{text}"[:36].ljust(36, "0")):
        try:
            value = to_uuid(candidate)
        except ValueError:
            continue
        assert f"{candidate[:3]}_{value.hex}" == candidate
