import pytest

from firewall.classify.catalog import texts as module
from firewall.classify.catalog.facts import BadFacts, print_facts, revision_of
from firewall.classify.catalog.texts import index_of, key_of
from tests.firewall.classify.catalog.made import facts

TEXT = print_facts(facts("at a.test /", "op GET /x read x/get"))


def test_texts_become_an_index_that_names_their_revision() -> None:
    match = index_of([TEXT]).look_up("a.test", "GET", ("x",), "", frozenset())
    assert match is not None
    assert match.catalog == f"forge@{revision_of(TEXT)}"


def test_no_text_at_all_is_an_index_that_knows_nothing() -> None:
    assert not index_of([]).knows("a.test")
    assert index_of([]).look_up("a.test", "GET", ("x",), "", frozenset()) is None


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(BadFacts):
        index_of([TEXT, "aaf-facts/1\n"])


def test_all_texts_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXTS", 2 * len(TEXT) - 1)
    with pytest.raises(ValueError, match="together"):
        index_of([TEXT, TEXT])


def test_a_key_is_of_names_texts_and_maker() -> None:
    one = key_of([("a", b"x"), ("b", b"y")], b"m")
    assert one == key_of([("b", b"y"), ("a", b"x")], b"m")
    others = [key_of([("a", b"y"), ("b", b"x")], b"m"), key_of([("a", b"x"), ("b", b"y")], b"n"), key_of([("ab", b"xy")], b"m")]
    assert len({one, *others}) == 4
