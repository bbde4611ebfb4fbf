"""Any HTTP request, by its method (RFC 9110, section 9): the classifier that always knows something (SEMANTICS 5)."""

from firewall.action import Kind
from firewall.classify.meaning import Meaning, Subject

KINDS = {
    "GET": Kind.READ,
    "HEAD": Kind.READ,
    "OPTIONS": Kind.READ,
    "POST": Kind.WRITE,
    "PUT": Kind.WRITE,
    "PATCH": Kind.WRITE,
    "DELETE": Kind.DELETE,
}
"""What else there is (TRACE, PROPFIND, …) is unknown: its meaning is not RFC 9110's to say, or not safe to guess."""


def method_kind(method: str) -> Kind:
    return KINDS.get(method, Kind.UNKNOWN)


class Generic:
    def wants_body(self, head: Subject) -> bool:
        return False

    def __call__(self, subject: Subject) -> Meaning | None:
        method = subject.request.method
        return Meaning(service="http", operation=method, kind=method_kind(method))
