"""Whether a catalog describes a request: what a dialect reads from its mere form must not rename what a vendor has named."""

from firewall.classify.known import operators_place
from firewall.classify.meaning import Subject


def described(subject: Subject) -> bool:
    """Whether a catalog, shipped or a user's, knows an operation of this very form at this place. Raises what a look-up raises."""
    request, known = subject.request, subject.known
    host = request.host
    places = [host, *(operators_place(service) for service in known.speakers if known.speaks(service, host))]
    asked = [(index, place) for index in (known.shipped, known.users) for place in places if index.knows(place)]
    if not asked:
        return False
    names = frozenset(name.lower() for name, _ in request.headers)
    return any(index.look_up(place, request.method, request.segments, request.query, names) is not None for index, place in asked)
