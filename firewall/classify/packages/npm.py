"""npm's registry API (npm/registry, docs/REGISTRY-API.md; npm's own libraries npm-registry-fetch and libnpmpublish).

A scoped name travels as one segment, `/@scope%2fname`, or as two.
"""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.content import MISSING
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_SCOPED: Final = re.compile(r"@[\w.~-]+/[\w.~-]+", re.ASCII)
_PLAIN: Final = re.compile(r"[\w.~-]+", re.ASCII)
_TAGS: Final = {"PUT": "dist-tag-add", "POST": "dist-tag-add", "DELETE": "dist-tag-rm"}


def wants_body(asked: Asked) -> bool:
    return asked.method == "PUT" and _speaks(asked)


def read(asked: Asked) -> Meaning | None:
    path = asked.path
    if not path:
        return None
    if "-" in path:
        at = path.index("-")
        if not path[at + 1 :]:
            return None
        before = path[:at]
        rest = path[at + 1 :]
        if rest[0].endswith(".tgz"):
            return _tarball(asked, before, rest)
        return _service(asked, rest) if _speaks(asked) else None
    if not _speaks(asked):
        return None
    if len(path) >= 3 and path[-2] == "-rev":
        return _revised(asked, _name(path[:-2]))
    name = _name(path)
    if not name:
        return None
    match asked.method:
        case "GET" | "HEAD":
            return asked.means("metadata", package=name, slashes=_may_slash(asked))
        case "PUT":
            return _put(asked, name)
        case _:
            return None


def _speaks(asked: Asked) -> bool:
    """By what npm, pnpm and yarn send along."""
    return (
        asked.named
        or asked.subject.field(b"npm-command") is not None
        or asked.says(b"accept", "application/vnd.npm.install-v1+json")
        or asked.says(b"user-agent", "npm/", "yarn/")
    )


def _may_slash(asked: Asked) -> bool:
    """`%2f` between scope and name, and nowhere else. At a host that a catalog describes it might mean something else."""
    request, known = asked.subject.request, asked.subject.known
    slashed = [part for part in request.segments if "/" in part]
    if len(slashed) != 1 or not _SCOPED.fullmatch(slashed[0]):
        return False
    return asked.named or not (known.shipped.knows(request.host) or known.users.knows(request.host))


def _name(path: tuple[str, ...]) -> str:
    """The package at a path's end, for a registry may lie below a path of its own; empty where there is none."""
    if not path:
        return ""
    if _SCOPED.fullmatch(path[-1]):
        return path[-1]
    if not _PLAIN.fullmatch(path[-1]):
        return ""
    return f"{path[-2]}/{path[-1]}" if len(path) > 1 and path[-2].startswith("@") else path[-1]


def _tarball(asked: Asked, before: tuple[str, ...], rest: tuple[str, ...]) -> Meaning | None:
    name = _name(before)
    if not name:
        return None
    version = rest[0].removesuffix(".tgz").removeprefix(name.rpartition("/")[2] + "-")
    if len(rest) == 1 and asked.reads:
        return asked.means("download", package=name, version=version, slashes=_may_slash(asked))
    if len(rest) == 3 and rest[1] == "-rev":
        return asked.means("unpublish", Kind.DELETE, package=name, version=version, slashes=_may_slash(asked))
    return None


def _revised(asked: Asked, name: str) -> Meaning | None:
    """`…/-rev/REV`: the whole document anew. Without versions in it only its people change, else a version may be gone."""
    if not name or asked.method not in ("PUT", "DELETE"):
        return None
    document = _document(asked)
    if asked.method == "PUT" and document is not None and "versions" not in document:
        return asked.means("owner", Kind.WRITE, package=name, slashes=_may_slash(asked))
    return asked.means("unpublish", Kind.DELETE, package=name, slashes=_may_slash(asked))


def _put(asked: Asked, name: str) -> Meaning:
    """What cannot be read to its end is what would be worst: a large one is a package."""
    document = _document(asked)
    if document is None or "_attachments" in document:
        versions = {} if document is None else document.get("versions")
        version = ", ".join(versions) if isinstance(versions, dict) else ""
        return asked.means("publish", Kind.WRITE, package=name, version=version, slashes=_may_slash(asked))
    return asked.means("update", Kind.WRITE, package=name, slashes=_may_slash(asked))


def _document(asked: Asked) -> dict[str, object] | None:
    content = asked.subject.content
    usable = not content.problem and content.json is not MISSING and isinstance(content.json, dict)
    return content.json if usable else None


def _service(asked: Asked, rest: tuple[str, ...]) -> Meaning | None:
    """Below `/-/`."""
    slashes = _may_slash(asked)
    match rest:
        case ("package", *name, "dist-tags") if asked.reads:
            return asked.means("dist-tag-ls", package="/".join(name), slashes=slashes)
        case ("package", *name, "dist-tags", tag) if asked.method in _TAGS:
            return asked.means(_TAGS[asked.method], Kind.WRITE, package="/".join(name), version=tag, slashes=slashes)
        case ("package", *name, "access" | "collaborators" | "visibility") if name:
            return asked.means("access", package="/".join(name), slashes=slashes)
        case ("org" | "team" | "collaborators", *_):
            return asked.means("access", slashes=slashes)
        case ("user", *_) if asked.method == "PUT":
            return asked.means("login", Kind.WRITE)
        case ("user", *_) if asked.reads:
            return asked.means("user")
        case ("v1", "login", *_):
            return asked.means("login")
        case ("npm", "v1", "tokens", *_):
            operation = {"POST": "token-create", "DELETE": "token-revoke"}.get(asked.method, "token-list")
            return asked.means(operation)
        case ("npm", "v1", "security", *_) if asked.method == "POST":
            return asked.means("audit", Kind.READ, lowers=True)
        case ("v1", "search") if asked.reads:
            return asked.means("search")
        case ("whoami",) if asked.reads:
            return asked.means("whoami")
        case _:
            return None
