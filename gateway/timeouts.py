"""How long anything may take. Each client connection says what it waits for; a sweep ends what waits too long."""

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What a client connection is waiting for. `HEAD`, `DIAL` and `LINGER` are counted from their start; `IDLE`, `BODY` and
    `ANSWER` from the last byte on either side; `JUDGED` (a step is at work, or the request is held) and `OPEN` (a WebSocket, a
    tunnel that is passed through) have no end of their own."""

    HEAD = "head"
    IDLE = "idle"
    BODY = "body"
    JUDGED = "judged"
    DIAL = "dial"
    ANSWER = "answer"
    LINGER = "linger"
    OPEN = "open"


FROM_START = frozenset({Phase.HEAD, Phase.DIAL, Phase.LINGER})
NOTHING_ON = frozenset({Phase.IDLE, Phase.HEAD})
"""No request is under way."""
LINGER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. `request`: from a request's head to the end of its answer, the time that it is held not counted."""

    head: float
    idle: float
    connect: float
    response: float
    request: float

    def of(self, phase: Phase) -> float | None:
        match phase:
            case Phase.HEAD:
                return self.head
            case Phase.IDLE | Phase.BODY:
                return self.idle
            case Phase.DIAL:
                return self.connect
            case Phase.ANSWER:
                return self.response
            case Phase.LINGER:
                return LINGER_SECONDS
            case Phase.JUDGED | Phase.OPEN:
                return None
