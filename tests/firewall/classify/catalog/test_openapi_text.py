from typing import Any

import pytest

from firewall.classify.catalog import openapi_text as module
from firewall.classify.catalog.openapi_text import BadDocument, read_tree, scalar


def test_json_and_yaml_are_told_apart_by_how_they_begin() -> None:
    assert read_tree('\ufeff {"a": [1, true, null]}') == {"a": [1, True, None]}
    assert read_tree(b"\xef\xbb\xbfa: [x, true, null]") == {"a": ["x", True, None]}


def test_what_yaml_would_make_dates_numbers_or_booleans_of_stays_text() -> None:
    text = "2020-01-01: 2020-01-01\n200: 1.10\non: no\n0x10: 1_000\n"
    assert read_tree(text) == {"2020-01-01": "2020-01-01", "200": "1.10", "on": "no", "0x10": "1_000"}


def test_quoted_words_are_text() -> None:
    assert read_tree("a: 'true'\nb: \"null\"\nc: true\nd:\n") == {"a": "true", "b": "null", "c": True, "d": None}


def test_tags_of_yaml_itself_are_read() -> None:
    assert read_tree("a: !!str 1\nb: !!map {}\nc: ! x\n") == {"a": "1", "b": {}, "c": "x"}


def test_an_alias_is_the_value_itself_so_that_a_bomb_does_not_go_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 60)]
    tree: Any = read_tree("\n".join(lines))
    assert tree["a59"][0] is tree["a59"][9] is tree["a58"]


def test_merge_keys_copy_and_what_is_written_beats_them() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n  d: 3\n"
    tree: Any = read_tree(text)
    assert tree["z"] == {"c": "3", "d": "3", "a": "1", "b": "1"}
    with pytest.raises(BadDocument, match="line 1: << takes mappings"):
        read_tree("a: {<<: x}")


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read_tree("'<<': x") == {"<<": "x"}


def test_merge_keys_cannot_make_a_document_grow_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NODES", 1000)
    wide = "{" + ", ".join(f"k{i}: 1" for i in range(100)) + "}"
    text = f"a: &a {wide}\n" + "".join(f"b{i}: {{<<: *a}}\n" for i in range(20))
    with pytest.raises(BadDocument, match=r"line \d+: more than 1000 values"):
        read_tree(text)


@pytest.mark.parametrize("text", ["a: [" + "x, " * 1000 + "x]", '{"a": [' + "1," * 1000 + "1]}", "[" + "{}," * 1000 + "{}]"])
def test_values_are_counted(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NODES", 1000)
    with pytest.raises(BadDocument, match="more than 1000 values"):
        read_tree(text)


def test_a_document_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    for document in ("a: 34567890", b"a: 34567890"):
        with pytest.raises(BadDocument, match="line 1: the document is larger"):
            read_tree(document)


@pytest.mark.parametrize("text", ["- " * 201 + "x", "[" * 100_000, '{"a":' * 100_000, "{a: " * 300])
def test_a_document_has_a_depth(text: str) -> None:
    with pytest.raises(BadDocument, match=r"nested too deeply|not JSON|not YAML"):
        read_tree(text)


def test_bytes_that_are_no_text_are_told_by_the_line() -> None:
    with pytest.raises(BadDocument, match="line 2: not text in UTF-8"):
        read_tree(b"a: 1\nb: \xff")


def test_the_line_of_a_second_key_is_found_past_braces_in_strings() -> None:
    text = '{"a": "{\\"a\\": [",\n"b": {"a": 1, "c": [{"a": 1}]},\n"\\u0061": 2}'
    with pytest.raises(BadDocument, match="line 3: 'a' stands twice"):
        read_tree(text)


def test_only_plain_values_have_a_text() -> None:
    assert [scalar(value) for value in ("x", 3, 2.0, True, False, None, ["x"], {"x": 1})] == [
        "x",
        "3",
        "2.0",
        "true",
        "false",
        "",
        "",
        "",
    ]
