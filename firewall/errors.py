"""Every way in which the firewall itself ends a request. The docstring's first line is the title that people read.

Steps raise these; `firewall.problem` turns them into RFC 9457 documents. What is raised and is not one of these is a
defect, and is answered as `Defect`.
"""

from typing import ClassVar

from firewall.ids import ApprovalId


class Refused(Exception):
    """Refused."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "refused"
    decision: ClassVar[str] = "deny"
    effect: ClassVar[str] = "deny"
    retry_after: ClassVar[int | None] = None

    def __init__(self, detail: str, *, rules: tuple[str, ...] = (), revision: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.rules = rules
        self.revision = revision

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".")


class Malformed(Refused):
    """The request is malformed or ambiguous."""

    status, code, decision, effect = 400, "malformed", "error", "error"


class TargetTooLong(Refused):
    """The request target is too long."""

    status, code, decision, effect = 414, "target-too-long", "error", "error"


class Misdirected(Refused):
    """CONNECT host, TLS server name and Host do not agree."""

    status, code, decision, effect = 421, "misdirected", "error", "error"


class HeadTooLarge(Refused):
    """The request head is too large."""

    status, code, decision, effect = 431, "head-too-large", "error", "error"


class BodyTooLarge(Refused):
    """The request body is too large."""

    status, code, decision, effect = 413, "body-too-large", "error", "error"


class Unidentified(Refused):
    """No or wrong agent credential."""

    status, code, decision, effect = 407, "unidentified", "error", "error"


class AgentDisabled(Refused):
    """The agent is disabled or its credential has ended."""

    status, code = 403, "agent-disabled"


class DeniedByPolicy(Refused):
    """Denied by policy."""

    status, code = 403, "policy"


class AddressRefused(Refused):
    """The destination's address is refused."""

    status, code = 403, "address"


class NotResolved(Refused):
    """The destination's name does not resolve."""

    status, code, decision, effect = 502, "not-resolved", "error", "error"


class DeniedByApprover(Refused):
    """Denied by an approver."""

    status, code = 403, "approver"


class ApprovalExpired(Refused):
    """The approval expired before anyone decided."""

    status, code = 403, "expired"


class Pending(Refused):
    """Held: waiting for an approver."""

    status, code, decision, effect = 503, "pending", "pending", "pending"
    retry_after = 5

    def __init__(self, detail: str, *, approval_id: ApprovalId, rules: tuple[str, ...] = (), revision: str = "") -> None:
        super().__init__(detail, rules=rules, revision=revision)
        self.approval_id = approval_id


class ClientLeft(Pending):
    """The client left while it was held."""

    code = "client-left"


class TooManyHolds(Refused):
    """The agent has too many held requests."""

    status, code, decision, effect = 429, "too-many-holds", "error", "error"
    retry_after = 5


class TooManyConnections(Refused):
    """The agent has too many connections."""

    status, code, decision, effect = 429, "too-many-connections", "error", "error"
    retry_after = 5


class HoldsFull(Refused):
    """The gateway holds as much as it can."""

    status, code, decision, effect = 503, "holds-full", "error", "error"
    retry_after = 5


class EngineUnavailable(Refused):
    """The policy engine is unavailable."""

    status, code, decision, effect = 503, "engine-unavailable", "error", "error"
    retry_after = 1


class LedgerUnavailable(Refused):
    """The audit store is unavailable."""

    status, code, decision, effect = 503, "ledger-unavailable", "error", "error"
    retry_after = 1


class Draining(Refused):
    """This gateway is shutting down."""

    status, code, decision, effect = 503, "draining", "error", "error"
    retry_after = 1


class UpstreamUnreachable(Refused):
    """The destination cannot be reached."""

    status, code, decision, effect = 502, "upstream-unreachable", "error", "error"


class UpstreamTimeout(Refused):
    """The destination was silent for too long."""

    status, code, decision, effect = 504, "upstream-timeout", "error", "error"


class Abandoned(Refused):
    """The client left before the answer was complete."""

    status, code, decision, effect = 499, "abandoned", "error", "error"


class UpgradeRefused(Refused):
    """The destination changed to a protocol that nobody asked for."""

    status, code, decision, effect = 502, "upgrade", "error", "error"


class Defect(Refused):
    """A step of the firewall failed, so the request was refused."""

    status, code, decision, effect = 503, "defect", "error", "error"
    retry_after = 1
