"""Runs the path under mitmproxy's hooks, and is the one place where an exception can surface: whatever a step raises becomes a
refusal, because mitmproxy forwards a flow whose addon failed (TRAPS 1).

    http_connect     who asks, and may that port be reached at all; for a host that is passed through, all of the path
    requestheaders   arrest … locate; what is allowed is recorded and released here, and its body streams
    request          what must be approved, now that its body is whole: hold, record, release
    responseheaders, response, error, websocket_end, client_disconnected     settle
    server_connect   the second lock: no upstream connection without a released request that leads there

A hook that has to wait gives back one Future (see `walk`); the others are done when they return.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from mitmproxy import connection, http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons import PATH, metrics
from addons.answer import answer
from addons.authenticate import Authenticate
from addons.connect import END, Connect
from addons.decide import Decide
from addons.hold import Hold
from addons.inspect import Inspect
from addons.locate import Locate
from addons.passage import KEY, Passage, Step, passage_of
from addons.record import Record
from addons.release import Release
from addons.services import Services
from addons.settle import Settle
from addons.tunnels import Tunnel
from addons.waiting import Woken
from addons.walk import Walk
from firewall.errors import Abandoned, Defect, Refused, UpgradeRefused, UpstreamUnreachable
from firewall.ids import ActionId, new_id

log = structlog.get_logger()

Waits = asyncio.Future[None] | None

PASSED_THROUGH: tuple[type[Step], ...] = (Inspect, Decide, Locate, Hold, Record, Release)
"""What a CONNECT to a host that is passed through takes besides, as a request would."""


class Firewall:
    """`close_client`: ends a client connection at once, by mitmproxy's identifier of it."""

    def __init__(self, services: Services, *, close_client: Callable[[str], None]) -> None:
        self.services = services
        self.draining = False
        self.walking = 0
        """How many requests are on their way along the steps, whether their client is there or gone."""
        self._close_client = close_client
        self._path: tuple[Step, ...] = tuple(step(services) for step in PATH)
        self._numbers = {step.name: number for number, step in enumerate(self._path)}
        self._record, self._settle = self._step(Record), self._step(Settle)
        self._request_path = tuple(step for step in self._path if step is not self._settle)
        first = (self._path[0], self._step(Authenticate), Connect(services))
        self._connect_path: tuple[Step, ...] = (*first, *(self._step(kind) for kind in PASSED_THROUGH))
        self._connect_numbers = {name: number for number, name in enumerate([*(step.name for step in self._connect_path), END])}
        services.agents.on_change(self.check_credentials)

    def _step[S: Step](self, kind: type[S]) -> S:
        return next(step for step in self._path if isinstance(step, kind))

    # --- requests -------------------------------------------------------------------------------------------------------

    def http_connect(self, flow: http.HTTPFlow) -> Waits:
        passage = self._begin(flow)
        tunnel = self.services.tunnels.find(passage.client_id)
        if tunnel is not None:
            tunnel.passages.add(passage)
        steps, numbers = self._connect_path, self._connect_numbers
        self.walking += 1
        return Walk(passage, steps, record=self._record, numbers=numbers, ended=self._connected).go()

    def _connected(self, passage: Passage, refused: Refused | None) -> None:
        self.walking -= 1
        if refused is not None:
            self._refused(passage, refused)
        elif not passage.released:
            passage.flow.response = None
            self._end(passage)

    def requestheaders(self, flow: http.HTTPFlow) -> Waits:
        passage = self._begin(flow)
        tunnel = self.services.tunnels.find(passage.client_id)
        if tunnel is not None:  # else the client is gone already, and the first step that asks says so
            tunnel.passages.add(passage)
        return self._walk(passage, self._request_path, self._judged).go()

    def request(self, flow: http.HTTPFlow) -> Waits:
        passage = passage_of(flow)
        if passage is None:  # a flow that was never judged: whatever it is, it does not leave
            flow.response = answer(Defect("the request was never judged"), None, close=True)
        elif passage.answer is None and not passage.released:
            passage.parked = False
            if not passage.truncated:
                passage.whole = True
            return self._walk(passage, self._request_path, self._judged).go(self._numbers[passage.step])
        return None

    def _walk(self, passage: Passage, steps: tuple[Step, ...], ended: Callable[[Passage, Refused | None], None]) -> Walk:
        self.walking += 1
        return Walk(passage, steps, record=self._record, numbers=self._numbers, ended=ended)

    def _begin(self, flow: http.HTTPFlow) -> Passage:
        client = flow.client_conn
        passage = Passage(
            flow=flow,
            id=ActionId(new_id("act", time.time_ns() // 1_000_000)),
            client_id=client.id,
            source_ip=client.peername[0] if client.peername else "",
            started=self.services.clock(),
        )
        flow.metadata[KEY] = passage
        return passage

    def _judged(self, passage: Passage, refused: Refused | None) -> None:
        self.walking -= 1
        if refused is not None:
            self._refused(passage, refused)

    def _refused(self, passage: Passage, error: Refused) -> None:
        """The walk ended with a refusal, which is on record: sets the answer."""
        metrics.decided(passage, error.effect, self.services.clock())
        self._answer(passage, error)
        if passage.owes_outcome:
            # It was recorded as allowed, then something was in the way: it stayed here, and the chain says so.
            passage.failure = error
        self._end(passage)

    def _answer(self, passage: Passage, error: Refused) -> None:
        identified = passage.id if passage.action is not None else None
        passage.answer = passage.flow.response = answer(error, identified, close=self.draining)

    # --- answers --------------------------------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        passage, response = passage_of(flow), flow.response
        if passage is None or passage.answer is not None or response is None:
            return
        passage.status = response.status_code
        fields = response.headers.fields
        if b"x-aaf-" in [name[:6].lower() for name, _ in fields]:
            response.headers.fields = tuple(field for field in fields if field[0][:6].lower() != b"x-aaf-")
        if response.status_code == 101 and "upgrade" not in flow.request.headers:  # `classify` leaves no other than websocket
            passage.failure = UpgradeRefused("the destination answered 101 to a request that asked for no upgrade")
            self._answer(passage, passage.failure)
            self._end(passage)  # nothing more of this answer is read, so no other hook will say it
            return

        def through(data: bytes) -> bytes:
            passage.response_bytes += len(data)
            return data

        response.stream = through

    def response(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is not None and flow.websocket is None:
            self._end(passage)

    def error(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is None or not passage.owes_outcome or passage.settled:
            return
        if passage.failure is None:
            if passage.left or not flow.client_conn.connected:
                passage.failure = Abandoned("the client left")
            else:
                passage.failure = UpstreamUnreachable(flow.error.msg if flow.error else "the destination failed")
        if passage.answer is None and passage.status is None:  # nothing of an answer was passed on yet
            self._answer(passage, passage.failure)
        self._end(passage)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is None or flow.websocket is None:
            return
        messages = flow.websocket.messages
        if messages:
            if messages[-1].from_client:
                passage.request_bytes += len(messages[-1].content)
            else:
                passage.response_bytes += len(messages[-1].content)
        del messages[:-1]  # they would stay for as long as the connection (TRAPS 13)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is not None:
            self._end(passage)

    def _end(self, passage: Passage) -> None:
        """Nothing more comes of this request."""
        self.services.memory.give_back(passage)
        tunnel = self.services.tunnels.find(passage.client_id)
        if tunnel is not None:
            tunnel.passages.discard(passage)
        try:
            self._settle(passage)
        except Exception:  # the request has left and is recorded; its outcome is what is missing
            log.exception("step.failed", step=self._settle.name, action=passage.id)
            metrics.LOST.inc()

    # --- connections ----------------------------------------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        self.services.tunnels.open(client.id)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        server = data.server
        server.error = "no released request leads there"
        tunnel = self.services.tunnels.find(data.client.id)
        for passage in () if tunnel is None else tunnel.passages:
            action, route = passage.action, passage.route
            if passage.released and route is not None and action is not None and server.address == (action.host, action.port):
                server.error = None
                return
        log.error("connection.not-released", client=data.client.id)

    def client_disconnected(self, client: connection.Client) -> None:
        tunnel = self.services.tunnels.close(client.id)
        for passage in () if tunnel is None else list(tunnel.passages):
            self.left(passage)

    def left(self, passage: Passage) -> None:
        """The client of this request is gone."""
        passage.left = True
        self.services.room.wake(passage.id, Woken.LEFT)
        if passage.parked:  # nothing is under way that would end it
            passage.parked = False
            passage.spoil(Abandoned("the client left before its request was whole"))
            self._walk(passage, self._request_path, self._judged).go(self._numbers[passage.step])
        elif passage.released and not passage.settled:
            passage.failure = passage.failure or Abandoned("the client left")
            self._end(passage)

    def check_credentials(self) -> None:
        """Ends what belongs to credentials that are no longer good; called when agents change and about once a second."""
        for client_id, tunnel in self.services.tunnels.all():
            if tunnel.credential is not None and not self.services.agents.is_live(tunnel.credential):
                self._cut(client_id, tunnel)

    def _cut(self, client_id: str, tunnel: Tunnel) -> None:
        if all(passage.released or passage.parked or passage.answer is not None for passage in tunnel.passages):
            self._close_client(client_id)
            return
        for passage in tunnel.passages:  # being judged or held: it is answered, and then refused whatever comes next
            self.services.room.wake(passage.id, Woken.DISABLED)

    async def every_second(self) -> None:
        self.check_credentials()
        metrics.flush()
        metrics.HELD.set(len(self.services.room))
        metrics.UNSETTLED.set(len(self._settle))
        await asyncio.gather(self.services.room.poll(), self._settle.again())

    def drain(self) -> None:
        """From now on nobody waits here, and every answer ends its connection."""
        self.draining = True
        self.services.room.drain()
