"""One client connection from accept to its end, whatever carries it at the moment: the front, the exchange, or the layers."""

from time import time
from typing import TYPE_CHECKING, Protocol

from mitmproxy import connection

from gateway.flows import client_of, nowhere
from gateway.link import Link, Owner
from gateway.timeouts import FROM_START, NOTHING_ON, Phase

if TYPE_CHECKING:
    from gateway.engine import Engine


class Stage(Owner, Protocol):
    """What carries a session now, and owns its link."""

    def expired(self, phase: Phase) -> None:
        """It waited too long in this phase."""

    def last_byte(self) -> float:
        """When a byte last moved on either side, on the loop's clock."""
        ...

    def tick(self, now: float) -> None:
        """Comes about twice a second, for what has times of its own."""


class Session:
    __slots__ = ("_phase", "_since", "client", "engine", "link", "nowhere", "request_since", "stage")

    def __init__(self, engine: "Engine", link: Link) -> None:
        self.engine = engine
        self.link = link
        self.client = client_of(peername=link.peer, sockname=link.here)
        self.nowhere = nowhere()
        self.stage: Stage | None = None
        self.request_since: float | None = None
        """When the time of the request that is under way began."""
        self._phase = Phase.HEAD
        self._since = engine.now()

    def expect(self, phase: Phase) -> None:
        self._phase, self._since = phase, self.engine.now()

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def nothing_on(self) -> bool:
        return self._phase in NOTHING_ON

    def hand_to(self, stage: Stage) -> None:
        self.stage = self.link.owner = stage

    def sweep(self, now: float) -> None:
        """Ends what waits too long, and notices a client that left while it is not read from."""
        if self.stage is None:
            return
        if self.link.gone():
            self.link.abort()
            return
        self.stage.tick(now)
        patience = self.engine.patience.of(self._phase)
        if patience is not None:
            since = self._since if self._phase in FROM_START else max(self._since, self.stage.last_byte())
            if now - since > patience:
                self.stage.expired(self._phase)
                return
        busy = self.request_since is not None and self._phase not in (Phase.JUDGED, Phase.OPEN)
        if busy and now - (self.request_since or now) > self.engine.patience.request:
            self.stage.expired(self._phase)

    def over(self) -> None:
        """The client's connection has ended."""
        self.client.state = connection.ConnectionState.CLOSED
        self.client.timestamp_end = time()
        self.stage = None
        self.engine.forget(self)
