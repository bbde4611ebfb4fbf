"""Entry v1: canonical form, parts and their commitments, and the example of docs/audit-format.md."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall import jcs
from firewall.audit.entry import (
    SALT_BYTES,
    TAIL,
    VERSION,
    Draft,
    Event,
    canonical,
    commitment,
    complete,
    encode,
    is_canonical,
    open_parts,
    timestamp,
)
from firewall.backends.postgres.ledger import PARTS
from firewall.ids import WriterId
from firewall.seal import Sealer
from tests.firewall.audit.document import TEXT, VECTORS, block, table

WRITER = WriterId("wrt_0193f0c2a4b07c3e8f1d2a3b4c5d6e7f")
AT = datetime(2026, 11, 24, 14, 47, 18, 123_999, tzinfo=UTC)

KEYS = st.text("abcdefghijklmnopqrstuv_", min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def made(draft: Draft, number: int = 7) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(complete(encode(draft, origin="log/1", writer=WRITER, at=AT).head, number))
    return body


# --- canonical form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["canonical"], ids=lambda case: case["text"][:24])
def test_a_value_has_the_canonical_form_of_the_vector(case: dict[str, Any]) -> None:
    assert canonical(case["value"]) == case["text"].encode()
    assert is_canonical(case["value"], case["text"].encode())


@given(VALUES)
def test_the_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(value).decode() == jcs.text(value)


@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_the_canonical_form_is_read_back_as_the_same(value: dict[str, Any]) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert is_canonical(json.loads(text), text)


@pytest.mark.parametrize("value", [2**53, -(2**53), 10**30, "\ud800", object()])
def test_a_value_beyond_the_restriction_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"a": value})


@pytest.mark.parametrize("value", [1.5, 1.0, {"ä": 1}, [{"é": 1}], [[0.0]]])
def test_fractions_and_keys_beyond_ascii_are_not_canonical_though_json_knows_them(value: Any) -> None:
    assert not is_canonical({"a": value}, json.dumps({"a": value}, separators=(",", ":"), ensure_ascii=False).encode())


def test_what_is_nested_without_end_is_not_canonical() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert not is_canonical(nested, b"[]")
    while nested:  # or its end would recurse as deeply
        nested = nested.pop()


# --- entries ----------------------------------------------------------------------------------------------------------------


def test_an_entry_has_what_every_entry_has() -> None:
    body = made(Draft(event=Event.APPROVAL_EXPIRED, fields={"approval": "apr_1"}, parts={"path": b"/a"}))
    assert set(body) == {row[0].strip("`") for row in table("key")} | {"approval"}
    assert (body["v"], body["event"], body["origin"]) == (VERSION, "approval.expired", "log/1")
    assert body["writer"] == {"id": WRITER, "seq": 7}
    assert re.fullmatch(r"[0-9a-f]{32}", body["salt"])


@given(fields=st.dictionaries(KEYS, VALUES, max_size=4), parts=st.dictionaries(KEYS, st.binary(max_size=9), max_size=3))
def test_the_writers_number_completes_an_entry_in_canonical_form(fields: dict[str, Any], parts: dict[str, bytes]) -> None:
    encoded = encode(Draft(event=Event.ACTION_DECIDED, fields=fields, parts=parts), origin="log/1", writer=WRITER, at=AT)
    for number in (0, 9, 2**53 - 1):
        text = complete(encoded.head, number)
        assert text.endswith(TAIL)
        assert is_canonical(json.loads(text), text)
        assert json.loads(text)["writer"] == {"id": WRITER, "seq": number}


@given(parts=st.dictionaries(KEYS, st.binary(max_size=40), min_size=1, max_size=4))
def test_parts_come_back_with_the_salts_that_open_their_commitments(parts: dict[str, bytes]) -> None:
    encoded = encode(Draft(event=Event.ACTION_DECIDED, parts=parts), origin="log/1", writer=WRITER, at=AT)
    body = json.loads(complete(encoded.head, 0))
    opened = open_parts(encoded.parts)
    assert {label: part for label, (_, part) in opened.items()} == parts
    assert body["parts"] == {label: commitment(label, salt, part) for label, (salt, part) in opened.items()}
    assert encoded.salt == body["salt"]
    assert len({encoded.salt, *(salt.hex() for salt, _ in opened.values())}) == 1 + len(parts)


def test_a_part_is_nowhere_in_the_entry() -> None:
    draft = Draft(event=Event.ACTION_DECIDED, parts={"path": b"/patients/4711"})
    head = encode(draft, origin="log/1", writer=WRITER, at=AT).head
    assert b"patients" not in head
    assert b"4711/" not in head


def test_the_same_draft_twice_has_two_salts_and_two_commitments() -> None:
    one, other = (made(Draft(event=Event.ACTION_DECIDED, parts={"path": b"/a"})) for _ in range(2))
    assert one["salt"] != other["salt"]
    assert one["parts"] != other["parts"]


def test_an_entry_without_parts_puts_nothing_away() -> None:
    encoded = encode(Draft(event=Event.PROCESS_STOPPED), origin="log/1", writer=WRITER, at=AT)
    assert encoded.parts == b""
    assert open_parts(b"") == {}


def test_a_time_is_utc_with_milliseconds_cut_off() -> None:
    assert timestamp(AT) == "2026-11-24T14:47:18.123Z"
    assert timestamp(AT.astimezone(timezone(timedelta(hours=-5)))) == "2026-11-24T14:47:18.123Z"


# --- commitments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["commitments"], ids=lambda case: case["label"])
def test_a_commitment_is_that_of_the_vector(case: dict[str, str]) -> None:
    assert commitment(case["label"], bytes.fromhex(case["salt"]), bytes.fromhex(case["part_hex"])) == case["commitment"]


@pytest.mark.parametrize("length", [0, SALT_BYTES - 1, SALT_BYTES + 1])
def test_a_salt_of_another_length_would_leave_open_where_the_part_begins(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        commitment("path", bytes(length), b"/a")


# --- the example of the specification ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_an_entry_of_the_example_is_in_canonical_form_and_has_its_hash(number: int) -> None:
    text = block(f"json entry-{number}").encode()
    assert is_canonical(json.loads(text), text)
    assert hashlib.sha256(text).hexdigest() == block(f"text event-hash-{number}")


def test_the_part_of_the_example_has_the_commitment_in_the_entry() -> None:
    shown = re.search(r"The part `path` of entry 1 is\s+`([^`]+)`, its salt is\s+`([0-9a-f]{32})`", TEXT)
    assert shown is not None
    in_entry = json.loads(block("json entry-1"))["parts"]["path"]
    assert commitment("path", bytes.fromhex(shown[2]), shown[1].encode()) == in_entry
    hexed = bytes.fromhex("".join(line.partition("#")[0] for line in block("hex part").splitlines()))
    assert hashlib.sha256(hexed).hexdigest() == in_entry


def test_the_plain_text_of_the_examples_sealed_parts_opens_its_commitments() -> None:
    text = block("json sealed-1").encode()
    assert is_canonical(json.loads(text), text)
    assert {label: commitment(label, *kept) for label, kept in open_parts(text).items()} == json.loads(block("json entry-1"))[
        "parts"
    ]


def test_parts_are_sealed_as_the_specification_says() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    master, plain, salt = bytes(range(32)), b'{"path":["",""]}', "ab" * 16
    sealed = Sealer(master).seal(PARTS, salt, plain)
    assert sealed[:1] == b"\x01"
    assert sealed[1:5] == hashlib.sha256(b"aaf-master-key-id/v1\n" + master).digest()[:4]
    cipher = AESGCM(Sealer(master).derive("audit-parts"))
    assert cipher.decrypt(sealed[5:17], sealed[17:], b"aaf-seal/v1\naudit-parts\n" + salt.encode()) == plain
