"""`postgres.json`: what a data directory keeps of its Postgres. Where its database is stays where it was: a folder above it that
is opened or closed later must not lead to a new, empty one in silence."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE = "postgres.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The passwords; and the folder of the database, relative to the data directory where it lies in it. None: none was made."""

    superuser: str
    admin: str
    app: str
    folder: str | None = None

    @classmethod
    def new(cls) -> "Kept":
        return cls(superuser=secrets.token_urlsafe(32), admin=secrets.token_urlsafe(32), app=secrets.token_urlsafe(32))


def read(data_dir: Path) -> Kept | None:
    file = data_dir / FILE
    return Kept(**json.loads(file.read_text())) if file.exists() else None


def write(data_dir: Path, kept: Kept) -> None:
    """For the owner alone, whole or not at all."""
    file = data_dir / FILE
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(asdict(kept), stream)
    part.rename(file)


def settle(data_dir: Path, kept: Kept, folder: Path) -> Kept:
    """From now on the database is in `folder`."""
    where = folder.relative_to(data_dir) if folder.is_relative_to(data_dir) else folder.absolute()
    if kept.folder != str(where):
        kept = replace(kept, folder=str(where))
        write(data_dir, kept)
    return kept


def folder(data_dir: Path) -> Path | None:
    """Where the database is; None before there is one."""
    kept = read(data_dir)
    return None if kept is None or kept.folder is None else data_dir / kept.folder
