import os
import stat
from pathlib import Path

import pytest

from firewall.backends import catalogs
from firewall.backends.catalogs import FOLDER, load_shipped, prepare, shipped_texts
from firewall.classify.catalog.facts import BadFacts, parse_facts, print_facts
from firewall.classify.catalog.head import Damaged
from tests.firewall.classify.catalog.made import facts

TEXTS = {"forge.facts": print_facts(facts("at api.forge.test /", "op GET /user read users/get")).encode()}


def file(directory: Path) -> Path:
    (found,) = (directory / FOLDER).glob("*.bin")
    return found


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalogs, "shipped_texts", lambda: TEXTS)
    prepare(tmp_path)
    return tmp_path


def finds(directory: Path) -> bool:
    return load_shipped(directory).look_up("api.forge.test", "GET", ("user",), "", frozenset()) is not None


def test_the_file_is_made_once_and_for_its_owner_alone(made: Path) -> None:
    first = file(made).stat()
    assert stat.S_IMODE(first.st_mode) == 0o600
    assert finds(made)
    assert file(made).stat().st_ino == first.st_ino
    assert sorted(path.suffix for path in (made / FOLDER).iterdir()) == ["", ".bin"]


def test_other_texts_are_another_file_and_the_old_one_goes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = file(made)
    monkeypatch.setattr(catalogs, "shipped_texts", lambda: {"other.facts": TEXTS["forge.facts"]})
    assert finds(made)
    assert file(made) != old


def test_another_maker_makes_another_file(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = file(made)
    monkeypatch.setattr(catalogs, "_MAKERS", catalogs._MAKERS[:2])
    assert finds(made)
    assert file(made) != old


@pytest.mark.parametrize("at", [0, 20, 50, 53, 57, 61, 65, 90, 150, -1])
def test_a_damaged_file_is_made_again(made: Path, at: int) -> None:
    data = bytearray(file(made).read_bytes())
    data[at] ^= 1
    file(made).write_bytes(data)
    prepare(made)
    assert file(made).read_bytes() != bytes(data)
    assert finds(made)


@pytest.mark.parametrize("size", [0, 10, 120, 200, -8])
def test_a_file_that_was_cut_off_is_made_again(made: Path, size: int) -> None:
    data = file(made).read_bytes()[:size]
    file(made).write_bytes(data)
    prepare(made)
    assert len(file(made).read_bytes()) > len(data)
    assert finds(made)


def test_a_file_that_others_may_read_or_that_is_a_link_is_made_again(made: Path, tmp_path: Path) -> None:
    path = file(made)
    path.chmod(0o640)
    assert finds(made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    aside = tmp_path / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    assert finds(made)
    assert not path.is_symlink()


def test_with_the_key_a_worker_maps_the_file_and_makes_nothing(made: Path) -> None:
    key = prepare(made)
    assert load_shipped(made, key).knows("api.forge.test")
    file(made).chmod(0o644)
    with pytest.raises(Damaged):
        load_shipped(made, key)
    file(made).unlink()
    with pytest.raises(FileNotFoundError):
        load_shipped(made, key)


def test_a_file_of_other_texts_under_the_name_is_not_used(made: Path) -> None:
    key, path = prepare(made), file(made)
    other = path.with_name(f"{bytes(32).hex()}.bin")
    path.rename(other)
    with pytest.raises(Damaged, match="other texts"):
        load_shipped(made, bytes(32))
    assert prepare(made) == key


def test_a_text_that_is_none_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadFacts):
        prepare(tmp_path, {"bad.facts": b"aaf-facts/1\n"})
    assert not list((tmp_path / FOLDER).glob("*.bin"))


def test_a_write_that_fails_leaves_nothing(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError("the disk is full")

    file(made).unlink()
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="full"):
            prepare(made)
    assert [path.name for path in (made / FOLDER).iterdir()] == ["lock"]
    assert finds(made)


def test_every_shipped_text_is_facts_under_the_name_of_its_service() -> None:
    texts = shipped_texts()
    assert len(texts) > 10
    assert [name for name, data in texts.items() if parse_facts(data.decode()).service + ".facts" != name] == []
