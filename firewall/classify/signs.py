"""Signs that a request does more than its method says, whatever it is named: each raises the kind, none lowers it."""

from dataclasses import dataclass

from firewall.action import Kind, stricter_kind
from firewall.classify.generic import method_kind
from firewall.classify.meaning import Subject

OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""Fields by which many frameworks let a request be taken for one of another method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """`kind`: at least this; READ says nothing."""

    kind: Kind = Kind.READ


NO_SIGN = Sign()


def signs(subject: Subject) -> Sign:
    kind = Kind.READ
    for name, value in subject.request.headers:
        if name.lower().replace(b"_", b"-") in OVERRIDES:  # CGI and WSGI make one of the two
            kind = stricter_kind(kind, method_kind(value.decode("latin-1").strip().upper()))
    return NO_SIGN if kind is Kind.READ else Sign(kind=kind)
