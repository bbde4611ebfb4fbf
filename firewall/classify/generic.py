"""Any HTTP request, by its method (RFC 9110, section 9): the classifier that always knows something (SEMANTICS 5)."""

from firewall.action import Classified, Kind, Risk, stricter_kind
from firewall.request import Request

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

RISKS = {
    Kind.READ: Risk.MEDIUM,
    Kind.WRITE: Risk.HIGH,
    Kind.EXECUTE: Risk.HIGH,
    Kind.DELETE: Risk.HIGH,
    Kind.UNKNOWN: Risk.CRITICAL,
}
"""At a host that nobody has described, nothing is of low risk."""


OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""Fields by which many frameworks let a request be taken for one of another method."""


def generic(request: Request) -> Classified | None:
    kind = KINDS.get(request.method, Kind.UNKNOWN)
    for name, value in request.headers:
        if name.lower().replace(b"_", b"-") in OVERRIDES:  # CGI and WSGI make one of the two
            kind = stricter_kind(kind, KINDS.get(value.decode("latin-1").strip().upper(), Kind.UNKNOWN))
    return Classified(service="http", operation=request.method, kind=kind, risk=RISKS[kind])
