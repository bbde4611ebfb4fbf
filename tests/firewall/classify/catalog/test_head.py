import pytest

from firewall.classify.catalog.build import build
from firewall.classify.catalog.head import Damaged, arrays_of, check, texts_of
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.layout import ARRAYS, HEAD
from tests.firewall.classify.catalog.made import facts

DATA = build([(facts("at a.test /", "op GET /x/{y} read x/get"), "r")], bytes(range(32)))


def test_the_head_says_what_it_was_made_from_and_where_everything_lies() -> None:
    check(DATA)
    assert texts_of(DATA) == bytes(range(32))
    assert tuple(arrays_of(DATA)) == ARRAYS
    assert sum(map(len, arrays_of(DATA).values())) < len(DATA)


@pytest.mark.parametrize("at", range(HEAD.size + 40))
def test_no_byte_can_change_unseen(at: int) -> None:
    data = bytearray(DATA)
    data[at] ^= 8
    if 16 <= at < 48:
        assert texts_of(bytes(data)) != texts_of(DATA)
    else:
        with pytest.raises(Damaged):
            check(bytes(data))


@pytest.mark.parametrize("data", [b"", DATA[:100], DATA[:-8], DATA + bytes(8), b"\x7fELF" + DATA[4:]])
def test_what_is_no_index_is_not_opened(data: bytes) -> None:
    with pytest.raises(Damaged):
        BinaryIndex(data)
