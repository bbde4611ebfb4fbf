"""The shipped catalogs on this machine: made once into one file in the cache directory, mapped by every process.

`python -m firewall.backends.catalogs FOLDER` makes it and prints its key.

The file's name and head carry the SHA-256 of the texts that it was made from. A file that is another's, readable for others,
damaged or of other texts is not used but made again.
"""

import asyncio
import fcntl
import mmap
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import structlog

from firewall.classify.catalog import build, facts, layout, template
from firewall.classify.catalog.head import Damaged, check, texts_of
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.texts import binary_of, key_of

FOLDER = "catalogs"
MAX_BINARY = 512 << 20
"""Bytes."""

KEY_VARIABLE = "_AAF_CATALOGS"
"""In the environment of a process that need not look whether the file is whole: its key, hexadecimal."""

_MAKERS = (build, facts, layout, template)

log = structlog.get_logger()


def shipped_texts() -> dict[str, bytes]:
    """File name → text, of the package."""
    folder = files("firewall.classify") / "facts"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.endswith(".facts")}


def prepare(directory: Path, texts: dict[str, bytes] | None = None) -> bytes:
    """Makes the file where there is none that is whole, and returns its key. It takes seconds then, and memory: the supervisor
    calls it, before there are workers. Raises BadFacts for a text that is none, OSError for a directory that cannot be written."""
    texts = shipped_texts() if texts is None else texts
    key = _key(texts)
    folder = directory / FOLDER
    if _whole(folder, key):
        return key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        if not _whole(folder, key):
            _write(_path(folder, key), binary_of([texts[name].decode() for name in sorted(texts)], key))
            for other in folder.glob("*.bin"):
                if other != _path(folder, key):
                    other.unlink(missing_ok=True)  # who has it mapped keeps it
    return key


def _key(texts: dict[str, bytes]) -> bytes:
    return key_of(texts.items(), b"".join(Path(str(maker.__file__)).read_bytes() for maker in _MAKERS))


async def made(directory: Path) -> bytes:
    """As `prepare`, where there is something to make in a process of its own: the memory that it takes is not this one's for ever.
    Raises OSError."""
    key = _key(shipped_texts())
    if _whole(directory / FOLDER, key):
        return key
    log.info("catalogs.making", folder=str(directory / FOLDER))
    command = (sys.executable, "-m", "firewall.backends.catalogs", str(directory))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise OSError(f"the catalogs cannot be made in {directory}: {errors.decode(errors='replace').strip()[-300:]}")
    return bytes.fromhex(output.decode())


def load_shipped(directory: Path, key: bytes | None = None) -> BinaryIndex:
    """`key`: of `prepare`, where it was called already; then a look at the head is all. Raises as `prepare` does, and Damaged."""
    key = prepare(directory) if key is None else key
    return BinaryIndex(_mapped(directory / FOLDER, key))


def _path(folder: Path, key: bytes) -> Path:
    return folder / f"{key.hex()}.bin"


def _whole(folder: Path, key: bytes) -> bool:
    try:
        data = _mapped(folder, key)
        check(data)
        BinaryIndex(data)
    except (OSError, ValueError):
        return False
    return True


def _mapped(folder: Path, key: bytes) -> memoryview:
    """Read-only, shared. The mapping lives as long as what is read from it."""
    descriptor = os.open(_path(folder, key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _trusted(found):
            raise Damaged("somebody else could have written it")
        if not 0 < found.st_size <= MAX_BINARY:
            raise Damaged("its size is none of a catalog")
        view = memoryview(mmap.mmap(descriptor, found.st_size, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptor)
    if texts_of(view) != key:
        raise Damaged("it was made from other texts")
    return view


def _trusted(found: os.stat_result) -> bool:
    """A file of this user alone; or one of root's that nobody else may write, as a container's image holds it."""
    own = os.geteuid()
    return not found.st_mode & 0o177 if found.st_uid == own else found.st_uid == 0 and not found.st_mode & 0o022


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, whatever ends the process."""
    new = path.with_suffix(f".{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process of this machine makes the file; the others wait and find it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.stdout.write(prepare(Path(sys.argv[1])).hex())
