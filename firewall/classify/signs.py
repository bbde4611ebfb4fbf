"""Signs that a request does more than its method says, whatever it is named: each raises the kind, none lowers it."""

from dataclasses import dataclass
from typing import Final

from firewall.action import Kind, Risk, stricter_kind
from firewall.classify.batch import NO_BATCH, UNREADABLE, Sum, is_batch, sum_of
from firewall.classify.catalog.operation import describes
from firewall.classify.generic import method_kind
from firewall.classify.meaning import Subject
from firewall.classify.overrides import overrides

FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
RELATED: Final = "multipart/related"
"""A form, as Rack reads it. So is a body of no type at all, but nobody waits for that: most are none, and denials would wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """`kind`, `risk`: at least this; READ and LOW say nothing. `overrides`: methods that the request may be taken for instead of
    its own."""

    kind: Kind = Kind.READ
    risk: Risk = Risk.LOW
    overrides: tuple[str, ...] = ()


NO_SIGN = Sign()
_UPLOADS: Final = frozenset({RELATED, "multipart/form-data"})


def wants_body(head: Subject) -> bool:
    """Forms, for frameworks look into them for another method, and what they may take for one; and batches."""
    if head.request.method != "POST":
        return False
    if any(form in head.media_type for form in FORMS) or is_batch(head):
        return True
    # A vendor whose API is described does not guess.
    return head.media_type == RELATED and not describes(head.known, head.request.host)


def signs(subject: Subject) -> Sign:
    kind, others = Kind.READ, overrides(subject)
    for method in others:
        kind = stricter_kind(kind, method_kind(method))
    parts = _of_body(subject) if subject.request.body or "batch" in subject.request.query else NO_BATCH
    if not others and parts == NO_BATCH:
        return NO_SIGN
    return Sign(kind=stricter_kind(kind, parts.kind), risk=parts.risk, overrides=others)


def _of_body(subject: Subject) -> Sum:
    if subject.content.problem:
        return UNREADABLE if _matters(subject) else NO_BATCH
    return sum_of(subject)


def _matters(subject: Subject) -> bool:
    """Whether a body that could not be read may make more of the request. Of an upload or a long JSON text, its beginning has to
    do: who needs the rest says so itself."""
    if subject.request.truncated:
        return wants_body(subject) and subject.media_type not in _UPLOADS
    return subject.content.structured
