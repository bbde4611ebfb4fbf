"""The bridge to mitmproxy's own layers, for WebSocket and HTTP/2 alone: what they command is done on our links, and what comes from
those goes to them. mitmproxy's handler does the same with streams and tasks."""

from collections import deque
from time import time
from typing import TYPE_CHECKING

from mitmproxy import connection
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import Layer

from gateway.link import Link
from gateway.timeouts import Phase

if TYPE_CHECKING:
    from gateway.session import Session


class Bridge:
    """Owns the links of one session on behalf of `layer`."""

    def __init__(self, session: "Session", layer: Layer) -> None:
        self.session = session
        self.engine = session.engine
        self.links: dict[connection.Connection, Link] = {session.client: session.link}
        self._layer = layer
        self._events: deque[events.Event] = deque()
        self._feeding = False
        self._over = False

    def begin(self, data: bytes, upstream: tuple[connection.Server, Link, bytes] | None = None) -> None:
        """`data`, and the third of `upstream`: what has come already."""
        session = self.session
        session.hand_to(self)
        self.feed(events.Start())
        if upstream is not None:
            server, link, begun = upstream
            self.links[server] = link
            link.owner = self
            if begun:
                self.feed(events.DataReceived(server, begun))
        if data:
            self.feed(events.DataReceived(session.client, data))

    # --- the links

    def received(self, link: Link, data: bytes) -> None:
        self.feed(events.DataReceived(self._connection(link), data))

    def pressure(self, link: Link, high: bool) -> None:
        """Whoever does not take our bytes stops those from whom we would read them."""
        for other in list(self.links.values()):
            if other is not link and self.session.link in (link, other):
                if high:
                    other.hold()
                else:
                    other.unhold()

    def lost(self, link: Link) -> None:
        found = self._connection(link)
        del self.links[found]
        found.state, found.timestamp_end = ConnectionState.CLOSED, time()
        if link.congested:
            self.pressure(link, False)
        self.feed(events.ConnectionClosed(found))
        if link is self.session.link:
            self._end()

    def last_byte(self) -> float:
        return max((link.last for link in self.links.values()), default=0.0)

    def tick(self, now: float) -> None:
        pass

    def expired(self, phase: Phase) -> None:
        self.engine.log.info("connection.timeout", phase=phase.value)
        self.session.link.abort()

    def _connection(self, link: Link) -> connection.Connection:
        return next(found for found, other in self.links.items() if other is link)

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self.engine.hooks.tell("client_disconnected", self.session.client)
        for link in list(self.links.values()):
            link.owner = None
            link.abort()
        self.links.clear()
        self.session.over()

    # --- the layer

    def feed(self, event: events.Event) -> None:
        self._events.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events:
                for command in self._layer.handle_event(self._events.popleft()):
                    self.obey(command)
        except Exception:
            self.engine.log.exception("layer.failed")
            self._events.clear()
            self.session.link.abort()
        finally:
            self._feeding = False

    def obey(self, command: commands.Command) -> None:
        match command:
            case commands.SendData():
                link = self.links.get(command.connection)
                if link is not None:
                    link.write(command.data)
            case commands.StartHook():
                self._hook(command)
            case commands.CloseTcpConnection(half_close=True):
                pass  # an end in one direction alone is none here: what follows it closes the connection
            case commands.CloseConnection():
                self.close(command.connection)
            case commands.RequestWakeup():
                self.engine.loop.call_later(command.delay, self._wake, command)
            case commands.Log():
                self.engine.log.debug("layer.said", message=command.message)
            case _:
                raise AssertionError(f"a command that is not known here: {type(command).__name__}")

    def close(self, found: connection.Connection) -> None:
        link = self.links.get(found)
        if link is not None:
            found.state = ConnectionState.CLOSED
            link.close()
            if link is self.session.link:  # which it is not yet for a client that does not take what is written
                self.session.expect(Phase.ANSWER if link.backlog else Phase.LINGER)

    def _wake(self, command: commands.RequestWakeup) -> None:
        if not self._over:
            self.feed(events.Wakeup(command))

    def _hook(self, hook: commands.StartHook) -> None:
        (data,) = hook.args()

        def then(well: bool) -> None:
            if not well:
                self.session.link.abort()
            elif hook.blocking and not self._over:
                self.feed(events.HookCompleted(hook))

        self.engine.hooks.run(hook.name, data, then)
