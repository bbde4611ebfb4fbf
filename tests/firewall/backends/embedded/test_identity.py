import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firewall.backends.embedded import identity as module
from firewall.backends.embedded.identity import USERS, Identity

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's children run as somebody else")
OTHER = Identity(uid=65534, gid=65534)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may pass through; `outside` in it stands for /var/lib/aaf."""
    with tempfile.TemporaryDirectory(prefix="aaf-identity-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        monkeypatch.setattr(module, "OUTSIDE", folder / "outside")
        yield folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@as_root
def test_roots_children_run_as_a_user_that_the_machine_has() -> None:
    found = Identity.unprivileged()
    assert found.uid in {pwd.getpwnam(name).pw_uid for name in USERS if _exists(name)}
    done = subprocess.run(["id", "-G"], check=True, capture_output=True, text=True, **found.popen())  # type: ignore[call-overload]
    assert done.stdout.split() == [str(found.gid)]
    done = subprocess.run(["id", "-u"], check=True, capture_output=True, text=True, **found.popen())  # type: ignore[call-overload]
    assert done.stdout.strip() == str(found.uid)


@as_root
def test_a_machine_with_none_of_the_users_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USERS", ("no-such-user", "nor-this"))
    with pytest.raises(LookupError, match="no user no-such-user or nor-this"):
        Identity.unprivileged()


def test_whoever_is_not_root_starts_children_as_himself(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = Identity.unprivileged()
    assert (found, found.popen()) == (Identity(), {})
    assert found.folder(place, "mine") == place / "mine"
    assert found.program(Path("/bin/sh"), place) == Path("/bin/sh")


@as_root
@pytest.mark.parametrize(
    ("owner", "group", "bits", "reached"),
    [
        (0, 0, 0o700, False),
        (0, 0, 0o711, False),
        (0, 0, 0o705, True),
        (0, 65534, 0o750, True),
        (0, 65534, 0o705, False),
        (65534, 0, 0o500, True),
        (65534, 0, 0o055, False),
    ],
    ids=lambda value: oct(value) if isinstance(value, int) and value > 65534 else None,
)
def test_it_says_of_a_folder_what_the_kernel_says(place: Path, owner: int, group: int, bits: int, reached: bool) -> None:
    folder = place / "folder"
    folder.mkdir()
    folder.chmod(bits)
    os.chown(folder, owner, group)
    assert OTHER.reaches(folder) is reached
    listed = subprocess.run(["ls", folder], check=False, capture_output=True, **OTHER.popen())  # type: ignore[call-overload]
    assert (listed.returncode == 0) is reached


@as_root
def test_a_folder_below_a_closed_one_is_out_of_reach_and_so_is_one_behind_a_link(place: Path) -> None:
    (place / "closed" / "open").mkdir(parents=True)
    (place / "closed").chmod(0o700)
    (place / "link").symlink_to(place / "closed" / "open")
    assert not OTHER.reaches(place / "closed" / "open")
    assert not OTHER.reaches(place / "link")
    assert OTHER.reaches(place / "not there yet")


@as_root
def test_a_folder_is_its_users_alone(place: Path) -> None:
    folder = OTHER.folder(place, "data")
    assert (folder, mode(folder), folder.stat().st_uid) == (place / "data", 0o700, 65534)
    assert OTHER.folder(place, "data") == folder


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_below_a_closed_home_the_folder_lies_outside_whatever_the_umask(place: Path, umask: int) -> None:
    home, other = place / "home", place / "other"
    for closed in (home, other):
        closed.mkdir(mode=0o700)
    before = os.umask(umask)
    try:
        folder, another = OTHER.folder(home, "data"), OTHER.folder(other, "data")
    finally:
        os.umask(before)
    assert place / "outside" in folder.parents
    assert (mode(folder), folder.stat().st_uid) == (0o700, 65534)
    assert OTHER.reaches(folder)
    assert folder != another
    assert mode(home) == 0o700
    assert OTHER.folder(home, "data") == folder


@as_root
def test_a_program_out_of_reach_runs_from_a_copy_that_is_made_once(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    program = place / "closed" / "program.static"
    program.write_text("#!/bin/sh\necho ran as $(id -u)\n")
    program.chmod(0o700)
    copies = OTHER.folder(place, "copies")
    copy = OTHER.program(program, copies)
    done = subprocess.run([copy], check=True, capture_output=True, text=True, **OTHER.popen())  # type: ignore[call-overload]
    assert done.stdout == "ran as 65534\n"
    made = copy.stat().st_ino
    assert OTHER.program(program, copies) == copy
    assert copy.stat().st_ino == made
    os.utime(program, (1, 1))
    assert OTHER.program(program, copies) != copy


@as_root
def test_a_link_that_the_user_planted_is_not_written_through(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    program, precious = place / "closed" / "program", place / "precious"
    program.write_text("#!/bin/sh\n")
    precious.write_text("root's")
    copies = OTHER.folder(place, "copies")
    status = program.stat()
    (copies / f"program-{status.st_size}-{status.st_mtime_ns}.part").symlink_to(precious)
    assert OTHER.program(program, copies).read_text() == "#!/bin/sh\n"
    assert precious.read_text() == "root's"


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
