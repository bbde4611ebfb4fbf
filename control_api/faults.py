"""Every way in which the API itself refuses a request, and the one shape in which it says so (RFC 9457).

The docstring's first line is the title that people read. What the domain refuses is a
`firewall.errors.Refused`, in that shape too.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from firewall.errors import Refused
from firewall.ids import ActionId
from firewall.problem import MEDIA_TYPE, TYPE_BASE, Problem
from firewall.problem import problem as refusal


class Fault(Exception):
    """The request cannot be answered."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".")


class BadBody(Fault):
    """The body is not acceptable JSON."""

    code = "bad-body"


class NoCredential(Fault):
    """No or wrong credential."""

    status, code = 401, "no-credential"


class Forbidden(Fault):
    """This credential's role may not do that."""

    status, code = 403, "forbidden"


class NotFound(Fault):
    """There is no such thing."""

    status, code = 404, "not-found"


class MethodNotAllowed(Fault):
    """This path does not know that method."""

    status, code = 405, "method-not-allowed"


class TooSlow(Fault):
    """The body did not arrive in time."""

    status, code = 408, "body-timeout"


class Conflict(Fault):
    """The state of things does not allow that."""

    status, code = 409, "conflict"


class TooLarge(Fault):
    """The body is too large."""

    status, code = 413, "body-too-large"


class WrongMediaType(Fault):
    """The body must be application/json."""

    status, code = 415, "media-type"


class WrongHost(Fault):
    """This server does not answer for that host."""

    status, code = 421, "wrong-host"


class Invalid(Fault):
    """The request does not have the right shape."""

    status, code = 422, "invalid"


class Busy(Fault):
    """Too much at once."""

    status, code = 429, "busy"


class Defect(Fault):
    """The control API failed."""

    status, code = 500, "defect"


class Unavailable(Fault):
    """Something this answer needs is not available."""

    status, code = 503, "unavailable"


class Recorded(Exception):
    """A refusal of an action that has an identifier, which the answer names."""

    def __init__(self, error: Refused, action_id: ActionId) -> None:
        super().__init__(error.detail)
        self.error = error
        self.action_id = action_id


def problem(error: Exception) -> Problem:
    """The one shape. What is neither a fault nor a refusal is a defect, and says nothing of its cause."""
    if isinstance(error, Recorded):
        return refusal(error.error, error.action_id)
    if isinstance(error, Refused):
        return refusal(error)
    if not isinstance(error, Fault):
        error = Defect("the cause is in the log")
    body: dict[str, Any] = {
        "type": TYPE_BASE + error.code,
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        **error.members,
    }
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **error.headers}
    if error.status in {429, 503}:
        headers.setdefault("Retry-After", "1")
    return Problem(status=error.status, body=body, headers=headers)
