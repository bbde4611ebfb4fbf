import pytest

from firewall.yaml_text import MAX_BYTES, BadYaml, parse


def test_values_come_with_their_lines() -> None:
    parsed = parse("a: 1\nb:\n  - x\n  - {c: no}\nd: [true, ~, 'true', 0o7]\n")
    assert parsed.value == {"a": 1, "b": ["x", {"c": "no"}], "d": [True, None, "true", "0o7"]}
    assert [parsed.line(path) for path in (("a",), ("b", 1, "c"), ("b", 7, "z"), ("d", 0))] == [1, 4, 2, 5]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: &x [1]\n", 1, "anchors"),
        ("a: [&x b]\n", 1, "anchors"),
        ("a: 1\nb: *a\n", 2, "aliases"),
        ("a: !!python/object:os.system x\n", 1, "tags"),
        ("a: !mine {}\n", 1, "tags"),
        ("a: 1\n---\nb: 1\n", 2, "one document"),
        ("1: a\n", 1, "a key must be a word"),
        ("? [a]\n: b\n", 1, "a key must be a word"),
        ("a: 1.5\n", 1, "no whole number"),
        ("a: [1\n", 2, "not YAML"),
        ("a:\n\t- b\n", 2, "not YAML"),
        ("a: \x00\n", 1, "NUL"),
        ("a: \x07\n", 1, "not YAML"),
        ("[" * 100_000, 1, "nested too deeply"),
        ("{a: " * 50_000, 1, "nested too deeply"),
        ("# " + "x" * MAX_BYTES, 1, "larger"),
    ],
)
def test_what_is_not_read_here_is_refused_by_line(text: str, line: int, word: str) -> None:
    with pytest.raises(BadYaml, match=word) as refused:
        parse(text)
    assert refused.value.line == line


def test_a_merge_key_is_only_a_word() -> None:
    assert parse("<<: {a: 1}\n").value == {"<<": {"a": 1}}


def test_a_text_without_a_document_is_null() -> None:
    assert parse("# nothing\n").value is None
