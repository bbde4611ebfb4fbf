import pytest

from firewall.classify.content_json import DEPTH, NODES, looks_like_json, read_json, refuse_lookalikes
from firewall.classify.content_type import Unreadable


def test_depth_is_bounded() -> None:
    assert read_json(b"[" * DEPTH + b"]" * DEPTH)
    for depth in (DEPTH + 1, 1000, 100_000):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            with pytest.raises(Unreadable):
                read_json(opening * depth + b"1" + closing * depth)


def test_width_is_bounded() -> None:
    assert len(read_json(b"[" + b"0," * (NODES - 2) + b"0]")) == NODES - 1
    for wide in (b"[" + b"0," * NODES + b"0]", b"[" + b"[]," * NODES + b"0]", b"{" + b'"":0,' * NODES + b"}", b"[" * NODES + b"{"):
        with pytest.raises(Unreadable, match="more than"):
            read_json(wide)


def test_huge_numbers_cost_nothing() -> None:
    assert read_json(b"1" * 300) > 1e298
    with pytest.raises(Unreadable):
        read_json(b"1" * 1_000_000)


def test_strings_that_look_like_names_are_no_duplicates() -> None:
    assert read_json(rb'{"a":"\":\":\u003a","b":":"}') == {"a": '":"::', "b": ":"}


def test_what_begins_as_an_object_or_array_looks_like_json() -> None:
    assert [looks_like_json(data) for data in (b" \n{", b"[", b"\xef\xbb\xbf{", b"a{", b"")] == [True, True, True, False, False]


@pytest.mark.parametrize("name", ["Method", "METHOD", "methoD"])
def test_a_name_in_another_case_is_refused(name: str) -> None:
    refuse_lookalikes({"method": 1, "other": 2, "Some": 3}, ["method"])
    with pytest.raises(Unreadable, match="may be read as"):
        refuse_lookalikes({name: 1}, ["method"])


def test_letters_that_fold_to_others_are_refused() -> None:
    for name in ("argumentſ", "toKen"):
        with pytest.raises(Unreadable):
            refuse_lookalikes({name: 1}, ["arguments", "token"])
