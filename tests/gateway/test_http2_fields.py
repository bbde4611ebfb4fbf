"""The `hpack` library is the oracle: what it writes is read, what it refuses is refused, and it reads what is written here."""

from typing import Any

import pytest
from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple, OversizedHeaderListError
from hpack.hpack import encode_integer
from hypothesis import given
from hypothesis import strategies as st

from gateway import http2_fields
from gateway.fields import Field
from gateway.http2_fields import LeanDecoder, LeanEncoder

NAMES = st.one_of(
    st.sampled_from([b":method", b":path", b":status", b"cookie", b"accept", b"x-a", b"date"]), st.binary(max_size=200)
)
FIELDS = st.tuples(NAMES, st.one_of(st.sampled_from([b"", b"GET", b"/", b"200", b"a" * 127, b"b" * 300]), st.binary(max_size=300)))
BLOCKS = st.lists(st.lists(FIELDS, max_size=12), max_size=6)


@given(BLOCKS, st.booleans())
def test_blocks_of_the_library_are_read(blocks: list[list[Field]], huffman: bool) -> None:
    theirs, ours = Encoder(), LeanDecoder()
    for fields in blocks:
        assert ours.decode(theirs.encode(fields, huffman=huffman), raw=True) == fields


@given(BLOCKS)
def test_the_library_reads_what_is_written(blocks: list[list[Field]]) -> None:
    ours, theirs = LeanEncoder(), Decoder()
    for fields in blocks:
        assert [tuple(field) for field in theirs.decode(ours.encode(fields), raw=True)] == fields
    assert not theirs.header_table.dynamic_entries


def test_no_literal_may_ever_be_indexed_by_anybody() -> None:
    """RFC 7541, section 6.2.3: what came so must go on so."""
    fields = [(b":method", b"GET"), (b":path", b"/a"), (b"authorization", b"Bearer x"), (b"date", b"now"), (b"x-api-key", b"y")]
    written = LeanEncoder().encode(fields)
    kinds = [isinstance(field, NeverIndexedHeaderTuple) for field in Decoder().decode(written, raw=True)]
    assert kinds == [False, True, True, True, True]  # the first stands in the static table, whole


def _read(decoder: Decoder, block: bytes) -> list[Field] | None:
    """None: refused."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except (HPACKError, IndexError):  # the library has raised the second, on a block that is cut short
        return None


PIECES = st.one_of(
    st.binary(max_size=8),
    st.integers(0, 200).map(lambda index: bytes([0x80 | min(index, 127)])),
    st.integers(0, 9000).map(lambda size: bytes([encode_integer(size, 5)[0] | 0x20, *encode_integer(size, 5)[1:]])),
    st.tuples(FIELDS, st.sampled_from([b"\x40", b"\x00", b"\x10"])).map(
        lambda pair: pair[1] + b"".join(bytes(encode_integer(len(text), 7)) + text for text in pair[0])
    ),
)


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=4))
def test_any_bytes_are_read_or_refused_as_the_library_does(blocks: list[bytes]) -> None:
    ours, theirs = LeanDecoder(), Decoder()
    for block in blocks:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(http2_fields, "_CHANGES", 1000)  # the library takes any number
            found = _read(ours, block)
        assert found == _read(theirs, block)
        if found is None:
            return
        assert ours.header_table.dynamic_entries == theirs.header_table.dynamic_entries


def test_a_list_that_unpacks_to_more_than_is_agreed_is_refused() -> None:
    with pytest.raises(OversizedHeaderListError):
        LeanDecoder(1000).decode(b"\x82" * 24, raw=True)  # 42 bytes each


@pytest.mark.parametrize("block", [b"\x20" * (1 << 20), b"\x3f\x00" * (1 << 19)])
def test_changes_of_the_table_without_end_are_refused_at_once(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs next to nothing on the wire, and a block may have a mebibyte (CONTINUATION)."""
    ours, taken = LeanDecoder(), list[int]()
    change = ours._update_encoding_context

    def counted(data: bytes) -> int:
        taken.append(len(data))
        return change(data)

    monkeypatch.setattr(ours, "_update_encoding_context", counted)
    with pytest.raises(HPACKError):
        ours.decode(block, raw=True)
    assert len(taken) <= 16
    assert max(taken) < 20  # nor is the rest of the block copied for each


def test_indices_of_more_than_a_byte_cost_no_copy_of_the_block() -> None:
    ours = LeanDecoder()
    ours.decode(b"".join(b"\x40\x01%c\x01%c" % (97 + i % 26, 48 + i // 26) for i in range(100)), raw=True)

    class Block(bytes):
        longest = 0

        def __getitem__(self, key: Any) -> Any:
            found = super().__getitem__(key)
            if isinstance(found, bytes):
                Block.longest = max(Block.longest, len(found))
            return found

    with pytest.raises(OversizedHeaderListError):
        ours.decode(Block(b"\xff\x00" * (1 << 19)), raw=True)
    assert Block.longest < 20


def test_a_table_that_the_peer_has_made_smaller_is_said_to_be() -> None:
    ours = LeanEncoder()
    ours.header_table_size = 100
    theirs = Decoder()
    theirs.max_allowed_table_size = 100
    assert [tuple(field) for field in theirs.decode(ours.encode([(b"a", b"b")]), raw=True)] == [(b"a", b"b")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([4096], b""),  # nothing new
        ([65536, 4096], b"\x3f\xe1\x1f"),
        ([65536, 4096, 0], b"\x20"),  # what a decoder does not allow any more must not be said
        ([0, 0], b"\x20"),
        ([0, 4096] * 1000, b"\x20\x3f\xe1\x1f"),
    ],
)
def test_of_many_changes_of_the_table_the_smallest_is_said_and_the_last(settings: list[int], said: bytes) -> None:
    ours = LeanEncoder()
    for size in settings:
        ours.header_table_size = size
    assert len(ours.table_size_changes) <= 2
    assert ours.encode([(b":method", b"GET")]) == said + b"\x82"
    assert ours.encode([(b":method", b"GET")]) == b"\x82"
