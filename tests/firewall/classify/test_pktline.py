"""pkt-lines are read as git writes them, or not at all."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.classify.pktline import Command, NotPktLines, lines, read_push
from tests.firewall.classify.vectors import pkt

OLD, NEW, NONE = "1" * 40, "2" * 40, "0" * 40
ID = st.text("0123456789abcdef", min_size=40, max_size=40)
REF = st.from_regex(r"\Arefs/[a-z]{1,8}/[A-Za-z0-9._é-]{1,30}\Z")


def test_a_command_says_whether_a_ref_comes_goes_or_moves() -> None:
    made, gone = Command(ref="r", old=NONE, new=NEW), Command(ref="r", old=OLD, new=NONE)
    assert (made.creates, made.deletes, gone.creates, gone.deletes) == (True, False, False, True)


@given(st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=50)), max_size=10))
def test_lines_come_back_as_they_were_written(given: list[str | None]) -> None:
    assert list(lines(b"".join(map(pkt, given)))) == [None if line is None else line.encode() for line in given]


@given(st.dictionaries(REF, st.tuples(ID, ID), min_size=1, max_size=20), st.binary(max_size=100))
def test_a_push_is_read_to_the_end_of_its_commands_and_no_further(moved: dict[str, tuple[str, str]], pack: bytes) -> None:
    given = [f"{old} {new} {ref}" for ref, (old, new) in moved.items()]
    body = b"".join(map(pkt, [given[0] + "\0 atomic", *given[1:], None])) + pack
    push = read_push(body)
    assert [(c.ref, (c.old, c.new)) for c in push.commands] == list(moved.items())
    assert push.capabilities == {"atomic"}
    for end in range(len(body) - len(pack)):
        with pytest.raises(NotPktLines):
            read_push(body[:end])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(NotPktLines):
        read_push(data)
