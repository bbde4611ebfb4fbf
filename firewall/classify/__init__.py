"""Request → what it means. `NAMERS` are tried in order and the first that knows the request names it; every one of `SIGNS` may make
it stricter, none milder.

A classifier that raises, or none that knows: an `unknown` action, the riskiest kind (SEMANTICS 5).
"""

from firewall.action import Classified, Kind, Risk, stricter_kind, stricter_risk
from firewall.classify import llm
from firewall.classify.aws import Aws
from firewall.classify.catalog.operation import Catalog
from firewall.classify.generic import Generic, method_kind
from firewall.classify.git import Git
from firewall.classify.google import Google
from firewall.classify.graphql import GraphQL
from firewall.classify.grpc import Grpc
from firewall.classify.known import NOBODY, Known
from firewall.classify.mcp import Mcp
from firewall.classify.meaning import Classifier, Meaning, Subject
from firewall.classify.oauth import OAuth
from firewall.classify.overrides import overrides
from firewall.classify.packages import Packages
from firewall.classify.renamed import no_milder, without_users
from firewall.classify.risk import risk_of
from firewall.classify.signs import Sign, signs
from firewall.classify.signs import wants_body as signs_want_body
from firewall.classify.slack import Slack
from firewall.classify.taken import GENERIC as GENERIC
from firewall.classify.taken import LOOKS, as_strict, looser, taken_for
from firewall.classify.telegram import Telegram
from firewall.request import Request

NAMERS: tuple[Classifier, ...] = (
    Aws(),
    Google(),
    Slack(),
    Telegram(),
    Mcp(),
    GraphQL(),
    Git(),
    Grpc(),
    Packages(),
    OAuth(),
    Catalog(),
    Generic(),
)
"""From the particular to the general; the last knows every request."""
_WITH_BODIES = frozenset({"POST", "PUT"})


def wants_body(head: Request, known: Known = NOBODY, namers: tuple[Classifier, ...] = NAMERS) -> bool:
    """Whether somebody needs the body of such a request before it can be judged (SEMANTICS 2). No user's catalog does, and none
    keeps others from it."""
    known = without_users(known, head.host) or known
    subject = Subject(head, known)
    if signs_want_body(subject) or llm.wants_body(subject) or any(namer.wants_body(subject) for namer in namers):
        return True
    # Where a catalog says what paths there are, its own look at a looser one needs no body.
    other = looser(head) if head.method in _WITH_BODIES and not known.shipped.knows(head.host) else None
    return other is not None and any(namer.wants_body(Subject(other, known)) for namer in namers)


def classify(request: Request, known: Known = NOBODY, namers: tuple[Classifier, ...] = NAMERS) -> Classified:
    """Never raises: a classifier that cannot read a request must not decide that it is harmless, nor stop the others' work."""
    try:
        named = _strictest(request, known, namers)
        less = without_users(known, request.host)
        if less is not None and named is not None:
            ours = _strictest(request, less, namers)
            # What nobody but a user describes is the user's to describe.
            if ours is not None and (ours.service != GENERIC or ours.kind is Kind.UNKNOWN or LOOKS in ours.details):
                named = no_milder(named, ours)
    except Exception:
        return unknown(request)
    return unknown(request) if named is None else named


def _strictest(request: Request, known: Known, namers: tuple[Classifier, ...]) -> Classified | None:
    """By its own name, and no milder than what else it may be taken for."""
    named = _named(Subject(request, known), namers)
    if named is not None and (named.overrides or named.service == GENERIC):
        for other in taken_for(request, named, known):
            found = _named(Subject(other, known), namers)
            named = named if found is None else as_strict(named, found)
    return named


def _named(subject: Subject, namers: tuple[Classifier, ...]) -> Classified | None:
    for namer in namers:
        meaning = namer(subject)
        if meaning is not None:
            return _settled(subject, llm.enrich(subject, meaning), signs(subject))
    return None


def unknown(request: Request) -> Classified:
    return Classified(
        service="http",
        operation=request.method,
        kind=Kind.UNKNOWN,
        risk=Risk.CRITICAL,
        overrides=overrides(Subject(request, NOBODY)),
    )


def _settled(subject: Subject, meaning: Meaning, sign: Sign) -> Classified:
    """The method is the floor of the kind; only a shipped catalog lowers it, and any sign raises it again."""
    kind = meaning.kind if meaning.lowers else stricter_kind(meaning.kind, method_kind(subject.request.method))
    kind = stricter_kind(kind, sign.kind)
    return Classified(
        service=meaning.service,
        operation=meaning.operation,
        kind=kind,
        risk=stricter_risk(risk_of(meaning, kind), sign.risk),
        resource=meaning.resource,
        details=meaning.details,
        destinations=meaning.destinations,
        iam_action=meaning.iam_action,
        catalog=meaning.catalog,
        slashes=meaning.slashes,
        overrides=sign.overrides,
    )


def submitted(tool: str, operation: str) -> Classified:
    """An action submitted by API. No catalog says what its words mean yet, so its kind is unknown."""
    return Classified(service=tool, operation=operation, kind=Kind.UNKNOWN, risk=Risk.CRITICAL)
