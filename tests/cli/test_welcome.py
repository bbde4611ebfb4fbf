"""The first screen. That its lines work when pasted is `tests/e2e/test_up.py`."""

import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cli.welcome import Ready, welcome

READY = Ready(
    proxy_url="http://demo:TOKEN@127.0.0.1:8080",
    api_url="http://127.0.0.1:3001",
    admin_key="KEY",
    ca_file=Path("/some where/ca.pem"),
    data_dir=Path("/some where"),
)


def lines(ready: Ready, word: str) -> list[str]:
    return [line.strip() for line in welcome(ready).splitlines() if word in line]


def test_every_address_and_the_key_are_shown() -> None:
    text = welcome(READY)
    assert all(
        shown in text for shown in ("http://demo:TOKEN@127.0.0.1:8080", "http://127.0.0.1:3001/docs", "KEY", "/some where/ca.pem")
    )


def test_a_folder_with_a_space_is_still_one_word_of_a_command() -> None:
    commands = lines(READY, "curl -x")
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        assert words[words.index("--cacert") + 1] == "/some where/ca.pem"


def test_commands_name_the_data_directory_where_it_is_not_the_usual_one() -> None:
    assert all("AAF_DATA_DIR='/some where' " in line for line in lines(READY, "aaf "))
    usual = welcome(replace(READY, data_dir=Path("~/.local/share/aaf").expanduser()))
    assert "AAF_DATA_DIR" not in usual


def test_a_database_that_lies_elsewhere_is_shown_for_it_is_to_be_backed_up_too() -> None:
    assert lines(replace(READY, database=Path("/some where/postgres")), "data ") == ["data       /some where"]
    shown = lines(replace(READY, database=Path("/var/lib/aaf/1/postgres")), "data ")
    assert shown == ["data       /some where, the database in /var/lib/aaf/1/postgres"]


def test_commands_work_from_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(sys.executable).with_name("aaf")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert f" {own} approvals list --status pending" in welcome(READY)
    monkeypatch.setattr(shutil, "which", lambda _: str(own))
    assert " aaf approvals list --status pending" in welcome(READY)


def test_without_the_demo_agent_it_says_how_to_make_another() -> None:
    disabled = replace(READY, proxy_url=None)
    assert lines(disabled, "curl") == []
    assert lines(disabled, "agent create NAME") != []
    assert "None" not in welcome(disabled)
