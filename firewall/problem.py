"""Domain errors as RFC 9457 problem documents: one shape for the proxy's answers and the API's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firewall.errors import Pending, Refused
from firewall.ids import ActionId

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "urn:aaf:problem:"
REALM = 'Basic realm="aaf"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An answer of our own: a status, a JSON body and the headers that go with it."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(error: Refused, action_id: ActionId | None = None) -> Problem:
    """The answer that the proxy gives for `error`. Without an identity there is no action, so no `action_id`."""
    body: dict[str, Any] = {
        "type": TYPE_BASE + error.code,
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        "rules": list(error.rules),
    }
    headers = {"Content-Type": MEDIA_TYPE, "X-AAF-Decision": error.decision, "Cache-Control": "no-store"}
    if action_id is not None:
        body["action_id"] = action_id
        headers["X-AAF-Action"] = action_id
    if isinstance(error, Pending):
        body["approval_id"] = error.approval_id
        # CONTRACT: a held answer says `status: pending`; RFC 9457, section 3.1, has readers ignore a status of another type.
        body["status"] = "pending"
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == 407:
        headers["Proxy-Authenticate"] = REALM
    return Problem(status=error.status, body=body, headers=headers)
