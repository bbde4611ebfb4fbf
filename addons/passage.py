"""One request on its way: what the steps have established so far. Born denied."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from mitmproxy import http

from firewall.action import Action
from firewall.egress import Destinations, Route
from firewall.errors import BodyTooLarge, Refused
from firewall.ids import ActionId, ApprovalId
from firewall.ports import Credential
from firewall.request import Request
from firewall.verdict import NOT_DECIDED, Verdict

if TYPE_CHECKING:
    from addons.services import Services

KEY: Final = "aaf.passage"
"""Where a flow's metadata holds its passage."""


class Condemned(http.Request):
    """Stands for a head that is no request. It takes the same path, so that its refusal is recorded and answered like any."""

    refusal: Refused


@dataclass(slots=True, kw_only=True, eq=False)
class Passage:
    """`started`: seconds on the event loop's clock. `source_ip`: the agent's address as the gateway sees it."""

    flow: http.HTTPFlow
    id: ActionId
    client_id: str
    source_ip: str
    started: float
    step: str = "arrest"
    credential: Credential | None = None
    request: Request | None = None
    action: Action | None = None
    prefer_wait: float | None = None
    verdict: Verdict = NOT_DECIDED
    destinations: Destinations | None = None
    route: Route | None = None
    whole: bool = False
    """The whole body is in memory (or there is none)."""
    length: int | None = None
    """Bytes of the body, where the head says it."""
    parked: bool = False
    """It waits for its body: to be judged by it, or before it waits for an approver. No step is at work."""
    inspecting: bool = False
    """The body is read to be judged, and only so far."""
    truncated: bool = False
    """What it was judged by is only the beginning of its body."""
    spoilt: Refused | None = None
    """Why its body cannot be taken: it outgrew what may wait for an approval, or it is malformed."""
    gathered: bytearray = field(default_factory=bytearray)
    """What is in memory of a body that is not whole."""
    held_bytes: int = 0
    """How much memory is set aside for the body: what may gather before it outgrows that."""
    approval_id: ApprovalId | None = None
    approved: bool = False
    yielding: bool = False
    """An older waiter goes first."""
    stale: int = 0
    """How many times the decision named a policy that was not the active one any more."""
    refusal: Refused | None = None
    """Why the request ends here. What goes wrong after the decision was recorded as allowed is a `failure`."""
    recorded: bool = False
    released: bool = False
    left: bool = False
    """The client is gone."""
    settled: bool = False
    failure: Refused | None = None
    answer: http.Response | None = None
    """Our own answer, when there is one. What the agent gets, whatever stands on the flow."""
    status: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    request_hash: Any = None
    """SHA-256 of the body, from the first byte of it on."""

    def gather(self, data: bytes, *, done: bool) -> bool:
        """Takes a piece of the body of a parked request. `done`: it is the last. Returns whether the path goes on."""
        self.gathered += data
        outgrown = len(self.gathered) > self.held_bytes
        if outgrown and not self.inspecting:
            self.spoil(BodyTooLarge("too large to approve"))
            return True
        self.truncated = self.truncated or outgrown
        if done:
            self.flow.request.data.content = bytes(self.gathered)
            self.gathered = bytearray()
            self.whole = True
        return done or outgrown

    def spoil(self, error: Refused) -> None:
        """The body cannot be taken: nothing more of it is waited for."""
        self.gathered = bytearray()
        self.spoilt, self.whole = error, True

    @property
    def owes_outcome(self) -> bool:
        """The chain says that this was allowed, so it must also say what came of it."""
        return self.recorded and self.refusal is None

    def with_action(self) -> Action:
        if self.action is None:
            raise AssertionError("a step before classify asked for the action")
        return self.action

    def with_credential(self) -> Credential:
        if self.credential is None:
            raise AssertionError("a step before authenticate asked for the agent")
        return self.credential


class Step(ABC):
    """One step of the path. Raises Refused to end the request."""

    name: ClassVar[str]

    def __init__(self, services: "Services") -> None:
        self.services = services

    @abstractmethod
    def __call__(self, passage: Passage) -> Any:
        """Returns None to go on with the next step, the name of the step to go back to, or something to wait for (best one Future,
        TRAPS: Speed), whose result `answered` gets."""

    def answered(self, passage: Passage, result: Any) -> Any:
        """What `__call__` waited for is here. Returns what `__call__` may return. Where that was a coroutine which did it all, its
        own result stands."""
        return result


def passage_of(flow: http.HTTPFlow) -> Passage | None:
    found = flow.metadata.get(KEY)
    return found if isinstance(found, Passage) else None
