"""Requests that a catalog describes, by the vendor's own names (docs/catalog-format.md, "What is made of a match")."""

from firewall.action import stricter_kind
from firewall.classify.known import PSEUDO, Index, Known, Match, operators_place
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.risk import risk_of


class Catalog:
    def wants_body(self, head: Subject) -> bool:
        return False

    def __call__(self, subject: Subject) -> Meaning | None:
        request, known = subject.request, subject.known
        if not describes(known, request.host):
            return None
        names = frozenset([name.lower() for name, _ in request.headers])
        return meaning_of(known, request.host, request.method, request.segments, request.query, names)


def describes(known: Known, host: str) -> bool:
    """Whether any catalog speaks of this host, or the operator says that it is some service's."""
    return known.shipped.knows(host) or known.users.knows(host) or bool(known.speakers)


def meaning_of(
    known: Known, host: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
) -> Meaning | None:
    """What catalogs say of a request, or of one as which a vendor takes it (another method, the query in a form).

    A user's catalog names first. The kind is the strictest of all that is said, and only our own word lowers it below the method's.
    Raises ValueError for what is made to be slow (`Index.look_up`).
    """
    if host.endswith(PSEUDO):
        return None
    places = [host]
    if known.speakers:
        places += [operators_place(service) for service in known.speakers if known.speaks(service, host)]
    shipped = _first(known.shipped, places, method, segments, query, header_names)
    user = _first(known.users, places, method, segments, query, header_names)
    if user is None:
        return None if shipped is None else _meaning(shipped, lowers=True)
    if shipped is None:
        # Where our catalog describes the host but not the request, a user's does not make it less risky.
        return _meaning(user, sure=not any(known.shipped.knows(place) for place in places))
    kind = stricter_kind(user.kind, shipped.kind)
    return Meaning(
        service=user.service,
        operation=user.operation,
        kind=kind,
        lowers=True,
        sure=True,
        risk=risk_of(_meaning(shipped), kind),
        resource={**shipped.parameters, **user.parameters},
        iam_action=user.iam_action or shipped.iam_action,
        catalog=user.catalog,
        slashes=user.slashes and shipped.slashes,
    )


def _meaning(match: Match, *, lowers: bool = False, sure: bool = True) -> Meaning:
    return Meaning(
        service=match.service,
        operation=match.operation,
        kind=match.kind,
        lowers=lowers,
        sure=sure,
        resource=match.parameters,
        iam_action=match.iam_action,
        catalog=match.catalog,
        slashes=match.slashes,
    )


def _first(
    index: Index, places: list[str], method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
) -> Match | None:
    """A HEAD that nobody describes does what the GET does: servers run the same code for both (RFC 9110, section 9.3.2)."""
    for place in places:
        match = index.look_up(place, method, segments, query, header_names)
        if match is None and method == "HEAD":
            match = index.look_up(place, "GET", segments, query, header_names)
        if match is not None:
            return match
    return None
