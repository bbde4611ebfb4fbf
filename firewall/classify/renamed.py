"""What a user's catalog may do: rename. Where one knows the place, the request is read a second time without it, and nothing that
our own classifiers found then gets milder or lost."""

from dataclasses import replace

from firewall.action import Classified, stricter_kind, stricter_risk
from firewall.classify.known import Empty, Known, operators_place

_NONE = Empty()


def without_users(known: Known, host: str) -> Known | None:
    """`known` as if there were no users' catalogs; None where they know nothing of this host, so that it would be the same."""
    users = known.users
    if users.knows(host) or any(users.knows(operators_place(service)) for service in known.speakers if known.speaks(service, host)):
        return replace(known, users=_NONE)
    return None


def no_milder(named: Classified, ours: Classified) -> Classified:
    """`named`, at least as strict as `ours`, and with all that it is done to, as rules on resources would have found it."""
    return replace(
        named,
        kind=stricter_kind(named.kind, ours.kind),
        risk=stricter_risk(named.risk, ours.risk),
        resource={**named.resource, **ours.resource},
        details={**named.details, **ours.details},
        destinations=tuple(dict.fromkeys((*named.destinations, *ours.destinations))),
        iam_action=named.iam_action or ours.iam_action,
        slashes=named.slashes and ours.slashes,
    )
