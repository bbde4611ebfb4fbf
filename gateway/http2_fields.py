"""HPACK (RFC 7541) as the engine needs it, a fifth of what the `hpack` library's own loops cost. What is rare is left to the
library, and so is the table of what a peer has sent.

We send every field as a literal that no table may ever keep, or as an entry of the static one: a few bytes more on a wire where
they cost nothing, and nothing of one request shows in the size of another (section 7.1), here or further on. Who sent us a field
so may count on it (section 6.2.3), and of which that is true nobody has to remember.
"""

from collections.abc import Iterable
from typing import Any, Final

from hpack import HPACKDecodingError, OversizedHeaderListError
from hpack.hpack import Decoder, Encoder, decode_integer, encode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from gateway.fields import Field

_STATIC: Final = ((b"", b""), *HeaderTable.STATIC_TABLE)
"""By index; the first is none."""
_EXACT: Final = {field: bytes([0x80 | index]) for index, field in enumerate(_STATIC) if index}
_NEVER: Final = 0x10
"""Of a literal: never to be kept in a table by anybody (section 6.2.3)."""
_OVERHEAD: Final = 32
"""Bytes that an entry counts besides its text (section 4.1)."""
_CHANGES: Final = 16
"""How often a block may change the table's size. Two would do (section 4.2), but some write down every setting that came."""
_INTEGER: Final = 12
"""More bytes than an integer that is taken may have. What is looked at is cut out of the block, which may be large."""
_NEW_NAME: Final = bytes([_NEVER])


def _name_index(index: int) -> bytes:
    prefix = encode_integer(index, 4)
    prefix[0] |= _NEVER
    return bytes(prefix)


_NAMES: Final = {name: _name_index(index) for index, (name, _) in reversed(list(enumerate(_STATIC))) if index}
"""The beginning of a literal whose name stands in the static table, by name: the lowest index."""


class LeanEncoder(Encoder):
    @property
    def header_table_size(self) -> int:
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        """Of all changes since the last block, the smallest is said and the last (section 4.2)."""
        if value != self.header_table.maxsize or self.table_size_changes:
            self.header_table.maxsize = value
            self.table_size_changes = sorted({min((*self.table_size_changes, value)), value})

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        """`headers`: pairs of bytes. `huffman` is not looked at: it saves a third of the bytes, for most of the time."""
        block: list[bytes] = []
        if self.table_size_changes:
            block.append(self._encode_table_size_change())
        for field in headers:
            exact = _EXACT.get(field)
            if exact is not None:
                block.append(exact)
                continue
            name, value = field
            known = _NAMES.get(name)
            block += (_NEW_NAME + _size(name), name) if known is None else (known,)
            block += (_size(value), value)
        return b"".join(block)


def _size(text: bytes) -> bytes:
    size = len(text)
    return bytes((size,)) if size < 127 else bytes(encode_integer(size, 7))


class LeanDecoder(Decoder):
    def decode(self, data: bytes, raw: bool = False) -> Iterable[Any]:
        """Plain pairs of bytes where the library has tuples of its own. Raises HPACKError."""
        if not raw:
            raise NotImplementedError("fields are bytes here")
        found: list[Field] = []
        table, at, end, inflated, changes = self.header_table, 0, len(data), 0, 0
        while at < end:
            first = data[at]
            if first & 0x80:
                if first == 0xFF:
                    index, used = decode_integer(data[at : at + _INTEGER], 7)
                else:
                    index, used = first & 0x7F, 1
                at += used
                field = _STATIC[index] if 0 < index < len(_STATIC) else table.get_by_index(index)
            elif first & 0x60 == 0x20:
                changes += 1
                if found or changes > _CHANGES:
                    raise HPACKDecodingError("a change of the table's size within the block, or one too many")
                at += self._update_encoding_context(data[at : at + _INTEGER])
                continue
            else:
                kept = first & 0x40
                index, used = decode_integer(data[at : at + _INTEGER], 6 if kept else 4)
                at += used
                if index:
                    name = table.get_by_index(index)[0]
                else:
                    name, at = _text(data, at)
                value, at = _text(data, at)
                field = (name, value)
                if kept:
                    table.add(name, value)
            found.append(field)
            inflated += len(field[0]) + len(field[1]) + _OVERHEAD
            if inflated > self.max_header_list_size:
                raise OversizedHeaderListError(f"a header list of more than {self.max_header_list_size} bytes")
        self._assert_valid_table_size()
        return found


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """A string of a literal (section 5.2), and where what follows it begins."""
    if at >= len(data):
        raise HPACKDecodingError("the block is cut short")
    first = data[at]
    size = first & 0x7F
    if size < 0x7F:
        at += 1
    else:
        size, used = decode_integer(data[at : at + _INTEGER], 7)
        at += used
    text = data[at : at + size]
    if len(text) != size:
        raise HPACKDecodingError("the block is cut short")
    return (decode_huffman(text) if first & 0x80 else text), at + size
