import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from firewall.seal import Sealer, Unsealable

OLD, NEW, OTHER = bytes(32), bytes(range(32)), bytes([7]) * 32
SEALED = Sealer(NEW).seal("payload", "act_1", b"secret")


@given(
    st.binary(max_size=100), st.text(st.characters(codec="utf-8"), max_size=10), st.text(st.characters(codec="utf-8"), max_size=10)
)
def test_what_is_sealed_opens_for_its_purpose_and_its_record(plain: bytes, purpose: str, record: str) -> None:
    sealer = Sealer(NEW)
    sealed = sealer.seal(purpose, record, plain)
    assert sealer.open(purpose, record, sealed) == plain
    assert Sealer(NEW).open(purpose, record, sealed) == plain


def test_a_value_that_was_moved_to_another_record_is_refused() -> None:
    with pytest.raises(Unsealable, match="does not belong to this record"):
        Sealer(NEW).open("payload", "act_2", SEALED)


def test_a_value_that_is_put_to_another_use_is_refused() -> None:
    with pytest.raises(Unsealable, match="does not belong to this record"):
        Sealer(NEW).open("webhook", "act_1", SEALED)


@pytest.mark.parametrize(
    ("purpose", "record"), [("payload\nact", "1"), ("payload", "act_1\n"), ("payload\n", "act_1"), ("", "act_1")]
)
def test_purpose_and_record_do_not_run_together(purpose: str, record: str) -> None:
    with pytest.raises(Unsealable, match="does not belong to this record"):
        Sealer(NEW).open(purpose, record, SEALED)


def test_a_value_of_another_master_key_is_refused() -> None:
    with pytest.raises(Unsealable, match="a master key that is not here"):
        Sealer(OTHER).open("payload", "act_1", SEALED)
    with pytest.raises(Unsealable, match="a master key that is not here"):
        Sealer(OTHER, OLD).open("payload", "act_1", SEALED)


def test_a_value_that_names_the_wrong_one_of_two_keys_is_refused() -> None:
    by_old = Sealer(OLD).seal("payload", "act_1", b"secret")
    with pytest.raises(Unsealable, match="was changed"):
        Sealer(NEW, OLD).open("payload", "act_1", by_old[:1] + SEALED[1:5] + by_old[5:])


@pytest.mark.parametrize("bit", range(len(SEALED) * 8))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unsealable, match="master key that is not here" if bit < 40 else "was changed"):
        Sealer(NEW).open("payload", "act_1", bytes(changed))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_value_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(Unsealable, match="payload: "):
        Sealer(NEW).open("payload", "act_1", SEALED[:length])


def test_bytes_behind_a_value_are_refused() -> None:
    with pytest.raises(Unsealable, match="was changed"):
        Sealer(NEW).open("payload", "act_1", SEALED + b"\x00")


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_and_nothing_else_happens(sealed: bytes) -> None:
    for candidate in (sealed, SEALED[:5] + sealed):
        with pytest.raises(Unsealable):
            Sealer(NEW).open("payload", "act_1", candidate)


def test_while_rotating_the_previous_key_opens_and_the_current_one_seals() -> None:
    rotating = Sealer(NEW, OLD)
    assert rotating.open("payload", "act_1", Sealer(OLD).seal("payload", "act_1", b"old")) == b"old"
    assert Sealer(NEW).open("payload", "act_1", rotating.seal("payload", "act_1", b"new")) == b"new"
    assert rotating.derive("digest") == Sealer(NEW).derive("digest")


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    assert len({Sealer(NEW).seal("payload", "act_1", b"secret") for _ in range(50)}) == 50


def test_a_derived_key_is_for_one_purpose_one_length_and_one_master_key() -> None:
    sealer = Sealer(NEW)
    assert len(sealer.derive("digest")) == 32
    assert len(sealer.derive("bundle", 64)) == 64
    assert sealer.derive("digest") == sealer.derive("digest")
    assert len({sealer.derive("digest"), sealer.derive("bundle"), Sealer(OLD).derive("digest")}) == 3


def test_a_sealed_value_is_laid_out_as_it_is_documented() -> None:
    """Opened with nothing but the primitives: what is at rest today must open for ever."""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"payload").derive(NEW)
    assert SEALED[0] == 1
    assert AESGCM(key).decrypt(SEALED[5:17], SEALED[17:], b"aaf-seal/v1\npayload\nact_1") == b"secret"
    assert len(SEALED) == 1 + 4 + 12 + len(b"secret") + 16


def test_a_value_that_was_sealed_by_the_first_version_opens() -> None:
    kept = bytes.fromhex("016227782d5989de5264bed1dfc83a3a1134d72e412d4e5bc2d4a3f09322d3f421f3c83bf726a8")
    assert Sealer(NEW).open("payload", "act_1", kept) == b"secret"


def test_neither_plain_text_nor_key_stands_in_a_sealed_value() -> None:
    sealed = Sealer(NEW).seal("payload", "act_1", b"a secret long enough to be found")
    assert b"secret long" not in sealed
    assert NEW[:8] not in sealed
