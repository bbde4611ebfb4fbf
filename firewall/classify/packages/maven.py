"""Maven repositories: files at `group/…/artifact/version/artifact-version[-classifier].ext` ("Maven Repository Layout")."""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_FILE: Final = re.compile(r".+\.(?:jar|pom|aar|war|ear|zip|module|klib|tar\.gz)(?:\.(?:md5|sha1|sha256|sha512|asc))?")
_BASE: Final = frozenset({"maven2", "maven", "m2"})


def read(asked: Asked) -> Meaning | None:
    path = asked.path
    if len(path) < 4:
        return None
    if re.fullmatch(r"maven-metadata\.xml(?:\.\w+)?", path[-1]):
        return _said(asked, "metadata", ":".join((_group(path[:-2]), path[-2])), "")
    *group, artifact, version, file = path
    # The version of a snapshot's file is a date in place of SNAPSHOT.
    begins = f"{artifact}-{version.removesuffix('-SNAPSHOT')}"
    if not group or not file.startswith(begins) or not _FILE.fullmatch(file):
        return None
    return _said(asked, "download", f"{_group(tuple(group))}:{artifact}", version)


def _said(asked: Asked, operation: str, package: str, version: str) -> Meaning | None:
    match asked.method:
        case "GET" | "HEAD":
            return asked.means(operation, package=package, version=version)
        case "PUT":
            return asked.means("deploy", Kind.WRITE, package=package, version=version)
        case "DELETE":
            return asked.means("delete", Kind.DELETE, package=package, version=version)
        case _:
            return None


def _group(path: tuple[str, ...]) -> str:
    """Where the repository's own path ends is not written anywhere; these words are what it usually ends with."""
    first = 0
    for place, part in enumerate(path):
        if part in _BASE:
            first = place + 1
        elif part == "repository" and place + 2 <= len(path) - 1:
            first = place + 2
    return ".".join(path[first:])
