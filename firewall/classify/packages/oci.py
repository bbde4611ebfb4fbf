"""Images and other artefacts: the OCI distribution specification 1.1, which Docker's registry API v2 became."""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_MEDIA: Final = ("application/vnd.oci.", "application/vnd.docker.")
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,}")


def read(asked: Asked) -> Meaning | None:
    if asked.path[:1] != ("v2",):
        return None
    path = asked.path[1:]
    match path:
        case () if asked.reads and (asked.named or asked.says(b"user-agent", "docker/", "containers/", "buildkit/", "containerd/")):
            return asked.means("ping")
        case ("_catalog",) if asked.reads and asked.named:
            return asked.means("catalog")
        case (*name, "manifests", reference) if name and _is_manifest(asked, reference):
            return _one(asked, "/".join(name), reference)
        case (*name, "blobs", "uploads") | (*name, "blobs", "uploads", _) if name:
            return asked.means("push", package="/".join(name), details=_mount(asked))
        case (*name, "blobs", digest) if name and _DIGEST.fullmatch(digest):
            return _one(asked, "/".join(name), digest)
        case (*name, "tags", "list") if name and asked.reads:
            return asked.means("tags", package="/".join(name))
        case (*name, "referrers", digest) if name and asked.reads and _DIGEST.fullmatch(digest):
            return asked.means("referrers", package="/".join(name), version=digest)
        case _:
            return None


def _is_manifest(asked: Asked, reference: str) -> bool:
    if asked.named or _DIGEST.fullmatch(reference):
        return True
    return asked.says(b"accept", *_MEDIA) or asked.says(b"content-type", *_MEDIA)


def _one(asked: Asked, name: str, reference: str) -> Meaning | None:
    match asked.method:
        case "GET" | "HEAD":
            return asked.means("pull", package=name, version=reference)
        case "PUT":
            return asked.means("push", Kind.WRITE, package=name, version=reference)
        case "DELETE":
            return asked.means("delete", Kind.DELETE, package=name, version=reference)
        case _:
            return None


def _mount(asked: Asked) -> dict[str, str]:
    """A blob may come from another repository without being sent."""
    sources = [value for name, value in asked.subject.query if name == "from"]
    return {"from": ", ".join(sources)} if sources else {}
