"""As whom children run. Postgres refuses root, and OPA should not have it: as root they run as an unprivileged user that the
machine has already, in folders that this user can reach."""

import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

USERS = ("postgres", "nobody")
OUTSIDE = Path("/var/lib/aaf")
"""Where children of root keep what they own, when the data directory lies out of their reach (below a 0700 home)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`uid` None: the same user as this process."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def unprivileged(cls) -> "Identity":
        """Raises LookupError as root on a machine with none of `USERS`."""
        if os.geteuid() != 0:
            return cls()
        for name in USERS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(uid=entry.pw_uid, gid=entry.pw_gid)
        raise LookupError(f"this machine has no user {' or '.join(USERS)} that a child of root could run as")

    def popen(self) -> dict[str, object]:
        """What `subprocess` needs to start a child as this user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path | int) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether this user may pass through every folder above `path`, and read it."""
        if self.uid is None:
            return True
        resolved = path.resolve()
        return all(self._may(folder, 0o1) for folder in resolved.parents) and (
            not resolved.exists() or self._may(resolved, 0o5 if resolved.is_dir() else 0o4)
        )

    def _may(self, path: Path, bits: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return status.st_mode >> 6 & bits == bits
        if status.st_gid == self.gid:
            return status.st_mode >> 3 & bits == bits
        return status.st_mode & bits == bits

    def folder(self, data_dir: Path, name: str) -> Path:
        """A folder of this user's own, 0700: `name` in the data directory, or outside it where it cannot be reached."""
        folder = data_dir / name
        if not self.reaches(folder):
            base = OUTSIDE / hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
            for place in (OUTSIDE, base):
                place.mkdir(parents=True, exist_ok=True)
                place.chmod(0o711)  # whatever the umask is: our user passes through
            folder = base / name
        folder.mkdir(mode=0o700, exist_ok=True)
        self.own(folder)
        return folder

    def program(self, program: Path, copies: Path) -> Path:
        """`program`, or a copy of it below `copies` when this user cannot reach it. `copies` must be reachable. Raises OSError."""
        if self.reaches(program):
            return program
        status = program.stat()
        copy = copies / f"{program.name}-{status.st_size}-{status.st_mtime_ns}"
        if not copy.exists():
            part = copies / f"{copy.name}.part"
            part.unlink(missing_ok=True)
            # The folder is our user's: what stands there by that name may be a link of its making, and is not written through.
            with (
                program.open("rb") as source,
                os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as target,
            ):
                shutil.copyfileobj(source, target)
                os.fchmod(target.fileno(), 0o755)
            part.rename(copy)
        return copy
