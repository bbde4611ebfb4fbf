"""Which registry protocol a request speaks: each is asked in turn, once the path looks like any of them."""

import re
from typing import Final

from firewall.classify.described import described
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.packages import cargo, gems, golang, maven, npm, nuget, oci, pypi
from firewall.classify.packages.asked import Asked, Reader, WantsBody

READERS: Final[tuple[tuple[str, Reader], ...]] = (
    ("npm", npm.read),
    ("pypi", pypi.read),
    ("oci", oci.read),
    ("go", golang.read),
    ("cargo", cargo.read),
    ("maven", maven.read),
    ("nuget", nuget.read),
    ("gem", gems.read),
)
"""The protocol's name in the policy's `dialects`, which is also the service."""
BODIES: Final[tuple[tuple[str, WantsBody], ...]] = (
    ("npm", npm.wants_body),
    ("pypi", pypi.wants_body),
    ("cargo", cargo.wants_body),
)

_FORMS: Final = re.compile(
    r"\A/(?:v2(?:/|\Z)|[^/]*\Z|@)|/(?:-|-rev|@v|simple|legacy|api/v1/crates|api/v1/gems|api/v2/package|api/v2/symbolpackage|gems)(?:/|\Z)"
    r"|/@latest\Z|/maven-metadata\.xml|\.(?:whl(?:\.\w+)?|tgz|crate|nupkg|gem|jar|pom|aar|war|module|tar\.gz|zip)(?:\.\w+)?\Z"
)
"""What no path has that any of them would take by its form."""


class Packages:
    def wants_body(self, head: Subject) -> bool:
        if head.request.method not in ("POST", "PUT") or not _possible(head):
            return False
        asked = _asked(head)
        return any(wants(_of(asked, service)) for service, wants in BODIES)

    def __call__(self, subject: Subject) -> Meaning | None:
        if not _possible(subject):
            return None
        asked = _asked(subject)
        for service, read in READERS:
            meaning = read(_of(asked, service))
            if meaning is not None:
                return None if described(subject) else meaning
        return None


def _possible(subject: Subject) -> bool:
    request = subject.request
    path = request.path if "%" not in request.path else "/" + "/".join(request.segments)
    if _FORMS.search(path) is not None:
        return True
    speakers = subject.known.speakers
    return bool(speakers) and any(subject.known.speaks(service, request.host) for service, _ in READERS)


def _asked(subject: Subject) -> Asked:
    segments = subject.request.segments
    path = segments if segments and segments[-1] else segments[:-1]
    return Asked(subject=subject, service="", path=path, named=False)


def _of(asked: Asked, service: str) -> Asked:
    subject = asked.subject
    asked.service, asked.named = service, bool(subject.known.speakers) and subject.known.speaks(service, subject.request.host)
    return asked
