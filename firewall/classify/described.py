"""Whether a catalog describes a request: what a dialect reads from its mere form must not rename what a vendor has named."""

from firewall.classify.meaning import Subject


def described(subject: Subject) -> bool:
    """Whether a catalog, shipped or a user's, knows an operation of this very form."""
    request, known = subject.request, subject.known
    catalogs = [index for index in (known.shipped, known.users) if index.knows(request.host)]
    if not catalogs:
        return False
    names = frozenset(name.lower() for name, _ in request.headers)
    return any(
        index.look_up(request.host, request.method, request.segments, request.query, names) is not None for index in catalogs
    )
