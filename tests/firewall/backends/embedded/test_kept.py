import stat
from pathlib import Path

from firewall.backends.embedded import kept
from firewall.backends.embedded.kept import Kept


def test_what_is_kept_is_read_again_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    made = Kept.new()
    kept.write(tmp_path, made)
    assert kept.read(tmp_path) == made
    assert stat.S_IMODE((tmp_path / kept.FILE).stat().st_mode) == 0o600
    assert len({made.superuser, made.admin, made.app}) == 3


def test_nothing_is_known_of_a_folder_that_was_never_used(tmp_path: Path) -> None:
    assert kept.read(tmp_path) is None
    assert kept.folder(tmp_path) is None


def test_a_database_in_the_data_directory_moves_with_it(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    settled = kept.settle(here, Kept.new(), here / "postgres")
    assert kept.read(here) == settled
    here.rename(there)
    assert kept.folder(there) == there / "postgres"


def test_a_database_outside_stays_where_it_is(tmp_path: Path) -> None:
    kept.settle(tmp_path, Kept.new(), Path("/elsewhere/postgres"))
    assert kept.folder(tmp_path) == Path("/elsewhere/postgres")
