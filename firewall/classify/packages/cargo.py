"""Rust's crates: the registry web API and the sparse index (doc.rust-lang.org/cargo, "Registry Web API", "Registry Index")."""

import re
from typing import Any, Final

import orjson

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_CRATE: Final = re.compile(r"([A-Za-z][\w-]*?)-([0-9]+\.[0-9]+\.[0-9]+[\w.+-]*)\.crate", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)
_METADATA: Final = 1 << 20


def wants_body(asked: Asked) -> bool:
    return asked.method == "PUT" and asked.path[-4:] == ("api", "v1", "crates", "new")


def read(asked: Asked) -> Meaning | None:
    crates = asked.path[-5:]
    if wants_body(asked):
        name, version = _published(asked.subject.request.body or b"")
        return asked.means("publish", Kind.WRITE, package=name, version=version)
    if "crates" in asked.path and (found := _api(asked)) is not None:
        return found
    if asked.reads and (crate := _CRATE.fullmatch(asked.last)):
        return asked.means("download", package=crate[1], version=crate[2])
    if not asked.named or not asked.reads or not crates:
        return None
    if asked.last == "config.json":
        return asked.means("index")
    return asked.means("index", package=asked.last) if _is_index(asked.path) else None


def _api(asked: Asked) -> Meaning | None:
    match (asked.method, *asked.path[asked.path.index("crates") - 2 :]):
        case ("GET" | "HEAD", "api", "v1", "crates", name, version, "download"):
            return asked.means("download", package=name, version=version)
        case ("DELETE", "api", "v1", "crates", name, version, "yank"):
            return asked.means("yank", Kind.DELETE, package=name, version=version)
        case ("PUT", "api", "v1", "crates", name, version, "unyank"):
            return asked.means("unyank", Kind.WRITE, package=name, version=version)
        case ("PUT", "api", "v1", "crates", name, "owners"):
            return asked.means("owner-add", Kind.WRITE, package=name)
        case ("DELETE", "api", "v1", "crates", name, "owners"):
            return asked.means("owner-remove", Kind.DELETE, package=name)
        case ("GET" | "HEAD", "api", "v1", "crates", name, "owners"):
            return asked.means("owners", package=name)
        case ("GET" | "HEAD", "api", "v1", "crates") if asked.named:
            return asked.means("search")
        case _:
            return None


def _is_index(path: tuple[str, ...]) -> bool:
    """`1/a`, `2/ab`, `3/a/abc`, `ab/cd/abcd…`."""
    name = path[-1]
    if not _NAME.fullmatch(name):
        return False
    size = len(name)
    wanted = (str(size),) if size < 3 else ("3", name[0]) if size == 3 else (name[:2], name[2:4])
    return tuple(part.lower() for part in path[:-1][-len(wanted) :]) == tuple(part.lower() for part in wanted)


def _published(body: bytes) -> tuple[str, str]:
    """The body is a length in 4 bytes, little endian, JSON of that length, and then the same for the crate."""
    size = int.from_bytes(body[:4], "little")
    if not 0 < size <= _METADATA:
        return "", ""
    try:
        said: Any = orjson.loads(body[4 : 4 + size])
    except orjson.JSONDecodeError:
        return "", ""
    given = said if isinstance(said, dict) else {}
    name, version = given.get("name"), given.get("vers")
    return name if isinstance(name, str) else "", version if isinstance(version, str) else ""
