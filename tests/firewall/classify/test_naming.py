import pytest

from firewall.classify.content_type import Unreadable
from firewall.classify.naming import LIST, NAME, OPERATION, TEXT, cut, listed, name_of, shown, together


@pytest.mark.parametrize("text", ["a", "get-weather_2", "ns.tool/x:y", "werkzeug-ß", "a" * NAME])
def test_a_name_is_itself(text: str) -> None:
    assert name_of(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a\n", "{a", "a,b", "a}", "a\u202eb", "a\u200bb", "a" * (NAME + 1), None, 1, ["a"]])
def test_what_could_be_taken_for_another_name_or_for_several_is_none(text: object) -> None:
    with pytest.raises(Unreadable):
        name_of(text)


def test_several_names_are_told_in_one_order_and_begin_like_none_of_them() -> None:
    assert (together(["b", "a", "b"]), together(["a", "a"])) == ("{a,b}", "a")
    with pytest.raises(Unreadable):
        together(f"name{number}" for number in range(OPERATION))


def test_several_resources_are_a_list_as_rules_read_it() -> None:
    assert listed(["b", "a", "b"]) == "a,b"
    with pytest.raises(Unreadable):
        listed(f"name{number}" for number in range(LIST))


def test_a_text_is_cut_where_it_would_fill_the_page() -> None:
    assert (shown("a"), shown({"a": [1]})) == ("a", '{"a":[1]}')
    assert len(shown(["x" * TEXT])) == TEXT
    assert cut("abc", 2) == "a…"


@pytest.mark.parametrize(
    "value",
    [
        {"password": "s3cr3t"},
        {"a": [{"api_key": {"b": "s3cr3t"}}]},
        {"note": "x" * (TEXT - 40), "token": "s3cr3t" * 20},
        'mutation { login(user: "ann", password: "s3cr3t") { id } }',
        '{"token": "s3cr3t"}',
    ],
)
def test_what_looks_secret_is_not_shown(value: object) -> None:
    assert "s3cr3t" not in shown(value)
