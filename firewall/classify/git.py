"""git over smart HTTP (gitprotocol-http), and the batch requests of Git LFS (git-lfs/docs/api/batch.md).

`git:fetch` and `git:push` go by the path's end, whatever else a request says: a server may not look at the rest. Whether a push
forces cannot be known from the wire: only the server knows whether the old commit is an ancestor of the new one.

A fetch is a POST, so it is a write unless we know who answers: at hosts reviewed one by one, or named by the operator.
"""

import zlib
from dataclasses import dataclass
from typing import Final

from firewall.action import Kind, Risk
from firewall.classify.described import described
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.pktline import NotPktLines, Push, read_push
from firewall.globs import host_pattern

HOSTS: Final = (
    "github.com", "gist.github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "git.sr.ht", "gitea.com", "dev.azure.com",
    "*.visualstudio.com", "huggingface.co", "*.googlesource.com", "git.kernel.org", "git.savannah.gnu.org", "salsa.debian.org",
    "gitlab.freedesktop.org", "invent.kde.org", "gitlab.gnome.org",
)  # fmt: skip
"""Reviewed: here `git-upload-pack` behind a repository is git's own service, and reads."""
NOT_GIT: Final = frozenset({"api", "rest", "-", "_apis", "_api"})
"""First segments below which these hosts, and what people run themselves, keep their APIs: a file or a branch there may be
called `git-upload-pack`. GitLab keeps its pages below a `-` anywhere."""
SHOWN: Final = 20
"""Refs of one push that an approver reads one by one."""
INFLATED: Final = 1 << 20
FLUSH: Final = b"0000"

_ENDS: Final = frozenset({"git-upload-pack", "git-receive-pack", "refs", "batch"})
_SERVICES: Final = {"git-upload-pack": "fetch", "git-receive-pack": "push"}
_FETCH: Final = "application/x-git-upload-pack-request"
_PUSH: Final = "application/x-git-receive-pack-request"
_LFS: Final = "application/vnd.git-lfs+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """`repository`: as people write it. `ours`: git is known to be spoken there."""

    repository: str
    ours: bool


class Git:
    def wants_body(self, head: Subject) -> bool:
        request = head.request
        return request.method == "POST" and _end(request.segments) in ("git-receive-pack", "batch")

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        last = _end(request.segments)
        if last not in _ENDS:
            return None
        segments = request.segments if request.segments[-1] else request.segments[:-1]
        before = segments[:-1]
        if last == "refs":
            return self._refs(subject, before[:-1]) if request.method == "GET" and before[-1:] == ("info",) else None
        if request.method != "POST":
            return None
        if last == "batch":
            if before[-3:] != ("info", "lfs", "objects"):
                return None
            place = _place(subject, before[:-3])
            return None if place is None else _lfs(subject, place)
        place = _place(subject, before)
        if place is None:
            return None
        return _fetch(subject, place) if last == "git-upload-pack" else _push(subject, place)

    def _refs(self, subject: Subject, repository: tuple[str, ...]) -> Meaning | None:
        """What comes before a fetch or a push. Without a service it is a static file of the dumb protocol."""
        asked = [value for name, value in subject.query if name == "service"]
        if not asked or not set(asked) & set(_SERVICES):
            return None
        if len(asked) > 1:
            raise NotPktLines("two services are asked for")
        place = _place(subject, repository)
        if place is None:
            return None
        operation = _SERVICES[asked[0]]
        details = {"step": "asks which refs there are, before a push"} if operation == "push" else {}
        return _meaning(place, operation, Kind.READ, details=details)


def _end(segments: tuple[str, ...]) -> str:
    """The last word of a path, as servers take it that do not mind a slash behind it, or a parameter (`;a=b`)."""
    last = segments[-1] or segments[-2:][0]
    return last.partition(";")[0] if ";" in last else last


def _place(subject: Subject, segments: tuple[str, ...]) -> _Place | None:
    """`segments`: the repository's path. None where this is no repository, or a catalog says what it is."""
    host = subject.request.host
    if not segments or not segments[0] or any("/" in segment for segment in segments) or described(subject):
        return None
    named = subject.known.speaks("git", host)
    ours = (named or host_pattern(HOSTS).fullmatch(host) is not None) and segments[0] not in NOT_GIT and "-" not in segments
    if ours and not named and (host == "dev.azure.com" or host.endswith(".visualstudio.com")):
        ours = "_git" in segments
    shown = "/".join(segment for segment in segments if segment != "_git")
    return _Place(repository=shown.removesuffix(".git") or shown, ours=ours)


def _fetch(subject: Subject, place: _Place) -> Meaning:
    return _meaning(place, "fetch", Kind.READ if _plainly(subject, place, _FETCH) else Kind.WRITE, lowers=True)


def _plainly(subject: Subject, place: _Place, media_type: str) -> bool:
    """Whether it is just what a client sends, so that nothing but git's own service answers."""
    request = subject.request
    return place.ours and subject.media_type == media_type and not request.query and request.path[-5:] in ("-pack", "batch")


def _push(subject: Subject, place: _Place) -> Meaning:
    try:
        push = read_push(_beginning(subject))
    except NotPktLines as error:
        return _meaning(place, "push", Kind.UNKNOWN, risk=Risk.CRITICAL, details={"refs": f"cannot be read: {error}"})
    if push.signed:
        return _meaning(place, "push", Kind.UNKNOWN, risk=Risk.CRITICAL, details={"refs": "inside a signed push certificate"})
    if not push.commands and subject.request.body == FLUSH and _plainly(subject, place, _PUSH):
        # git asks before it sends a large pack: nothing is moved, so nobody need approve it.
        return _meaning(place, "push", Kind.READ, lowers=True, details=_told(push))
    kind = Kind.DELETE if any(command.deletes for command in push.commands) else Kind.WRITE
    refs = ",".join(command.ref for command in push.commands)
    return _meaning(place, "push", kind, refs=refs, details=_told(push))


def _told(push: Push) -> dict[str, str]:
    if not push.commands:
        return {"refs": "none: asks whether a push would be let in"}
    told = {}
    for command in push.commands[:SHOWN]:
        before = "new" if command.creates else command.old[:10]
        after = "deleted" if command.deletes else command.new[:10]
        told[command.ref] = f"{before} → {after}"
    if len(push.commands) > SHOWN:
        told["more refs"] = str(len(push.commands) - SHOWN)
    if "atomic" in push.capabilities and len(push.commands) > 1:
        told["atomic"] = "all of them or none"
    if "push-options" in push.capabilities:
        told["push options"] = "sent along, for the server to interpret"
    return told


def _beginning(subject: Subject) -> bytes:
    """The body's beginning, which is all that is needed: the commands come before the pack. Raises NotPktLines."""
    body = subject.request.body
    if body is None:
        raise NotPktLines("the body was not read")
    match (subject.field(b"content-encoding") or "identity").strip().lower():
        case "identity":
            return body
        case "gzip" | "x-gzip":
            try:
                return zlib.decompressobj(wbits=31).decompress(body, INFLATED)
            except zlib.error:
                raise NotPktLines("a body that is not gzip although it says so") from None
        case other:
            raise NotPktLines(f"a body in {other[:40]!r}")


def _lfs(subject: Subject, place: _Place) -> Meaning:
    content = subject.content
    asked = content.json if not content.problem and isinstance(content.json, dict) else {}
    objects = asked.get("objects")
    details = {"objects": str(len(objects))} if isinstance(objects, list) else {}
    match asked.get("operation"):
        case "download":
            kind = Kind.READ if _plainly(subject, place, _LFS) else Kind.WRITE
            return _meaning(place, "lfs-download", kind, lowers=True, details=details)
        case "upload":
            return _meaning(place, "lfs-upload", Kind.WRITE, details=details)
        case _:
            return _meaning(place, "lfs-batch", Kind.UNKNOWN, risk=Risk.CRITICAL)


def _meaning(
    place: _Place,
    operation: str,
    kind: Kind,
    *,
    lowers: bool = False,
    refs: str = "",
    details: dict[str, str] | None = None,
    risk: Risk | None = None,
) -> Meaning:
    resource = {"repository": place.repository} | ({"refs": refs} if refs else {})
    return Meaning(
        service="git", operation=operation, kind=kind, lowers=lowers and place.ours, sure=place.ours, risk=risk,
        resource=resource, details=details or {},
    )  # fmt: skip
