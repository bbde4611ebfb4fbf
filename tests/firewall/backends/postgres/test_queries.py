"""Queries by name: each described, none that selects columns nobody named."""

import re

import pytest

from firewall.backends.postgres import queries


def files() -> list[str]:
    return sorted(path.name for path in queries.SQL.glob("*.sql"))


@pytest.mark.parametrize("file", files())
def test_every_query_is_named_and_described(file: str) -> None:
    text = (queries.SQL / file).read_text()
    assert len(queries.load(file)) == len(re.findall(r"^-- name: ", text, re.MULTILINE))


@pytest.mark.parametrize("file", files())
def test_every_query_names_its_columns(file: str) -> None:
    for name, text in queries.load(file).items():
        assert not re.search(r"select\s+(\w+\.)?\*", text), name


def test_a_file_without_queries_is_an_error(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x.sql").write_text("select 1")
    monkeypatch.setattr(queries, "SQL", tmp_path)
    with pytest.raises(ValueError, match=r"x\.sql"):
        queries.load("x.sql")
