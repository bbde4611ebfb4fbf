"""Runs the path under mitmproxy's hooks, and is the one place where an exception can surface: whatever a step raises becomes a
refusal, because mitmproxy forwards a flow whose addon failed (TRAPS 1).

    http_connect     who asks, and may that port be reached at all
    requestheaders   arrest … locate; what is allowed is recorded and released here, and its body streams
    request          what must be approved, now that its body is whole: hold, record, release
    responseheaders, response, error, websocket_end, client_disconnected     settle
    server_connect   the second lock: no upstream connection without a released request, and only to the address it may reach
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from mitmproxy import connection, http
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from addons import PATH, metrics
from addons.answer import answer
from addons.authenticate import Authenticate
from addons.connect import Connect
from addons.hold import Hold
from addons.passage import KEY, Passage, Step, passage_of
from addons.record import Record
from addons.release import Release
from addons.services import Services
from addons.settle import Settle
from addons.tunnels import Tunnel
from addons.waiting import Woken
from firewall.errors import Abandoned, Defect, Refused, UpgradeRefused, UpstreamUnreachable
from firewall.ids import ActionId, new_id
from firewall.ports import Route
from firewall.verdict import Hold as Held

log = structlog.get_logger()


class Firewall:
    """`close_client`: ends a client connection at once, by mitmproxy's identifier of it."""

    def __init__(self, services: Services, *, close_client: Callable[[str], None]) -> None:
        self.services = services
        self.draining = False
        self._close_client = close_client
        self._path: tuple[Step, ...] = tuple(step(services) for step in PATH)
        self._index = {step.name: number for number, step in enumerate(self._path)}
        self._hold, self._record, self._settle = self._step(Hold), self._step(Record), self._step(Settle)
        self._connect_path: tuple[Step, ...] = (self._path[0], self._step(Authenticate), Connect(services))
        services.agents.on_change(self.check_credentials)

    def _step[S: Step](self, kind: type[S]) -> S:
        return next(step for step in self._path if isinstance(step, kind))

    # --- requests -------------------------------------------------------------------------------------------------------

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        passage = self._begin(flow)
        try:
            for step in self._connect_path:
                passage.step = step.name
                await step(passage)
        except Refused as error:
            await self._refuse(passage, error)
        except Exception:
            log.exception("step.failed", step=passage.step, action=passage.id)
            await self._refuse(passage, Defect(f"the step {passage.step} failed"))
        else:
            flow.response = None

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        passage = self._begin(flow)
        tunnel = self.services.tunnels.find(passage.client_id)
        if tunnel is not None:  # else the client is gone already, and the first step that asks says so
            tunnel.passage = passage
        await self._run(passage)

    async def request(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is None:  # a flow that was never judged: whatever it is, it does not leave
            flow.response = answer(Defect("the request was never judged"), None, close=True)
        elif passage.answer is None and not passage.released:
            passage.whole = True
            await self._run(passage)

    async def _run(self, passage: Passage) -> None:
        index = self._index[passage.step]
        try:
            while True:
                step = self._path[index]
                passage.step = step.name
                if step is self._hold and isinstance(passage.verdict, Held) and not passage.whole:
                    self._hold.set_aside(passage, _length(passage.flow.request))
                    return
                back = await step(passage)
                if isinstance(step, Release):
                    metrics.decided(passage, "allow", self.services.clock())
                    return
                index = index + 1 if back is None else self._index[back]
        except Refused as error:
            await self._refuse(passage, error)
        except Exception:
            log.exception("step.failed", step=passage.step, action=passage.id)
            await self._refuse(passage, Defect(f"the step {passage.step} failed"))

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

    async def _refuse(self, passage: Passage, error: Refused) -> None:
        """Ends the request: records why, if it is known whose it is, and sets the answer."""
        if passage.owes_outcome:
            # It was recorded as allowed, then something was in the way: it stayed here, and the chain says so.
            passage.failure = error
        else:
            passage.refusal = error
            if passage.action is not None:
                try:
                    await self._record(passage)
                except Refused as unrecorded:
                    error = unrecorded
                except Exception:
                    log.exception("step.failed", step=self._record.name, action=passage.id)
                    error = Defect("the step record failed")
        metrics.decided(passage, error.effect, self.services.clock())
        self._answer(passage, error)
        if passage.owes_outcome:
            await self._end(passage)
        else:
            self._hold.give_back(passage)

    def _answer(self, passage: Passage, error: Refused) -> None:
        identified = passage.id if passage.action is not None else None
        passage.answer = passage.flow.response = answer(error, identified, close=self.draining)

    # --- answers --------------------------------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Not a coroutine function, because awaiting costs every answer (TRAPS: Speed) and only a refused one needs it."""
        passage, response = passage_of(flow), flow.response
        if passage is None or passage.answer is not None or response is None:
            return None
        passage.status = response.status_code
        for name in [name for name in response.headers if name.lower().startswith("x-aaf-")]:
            del response.headers[name]
        if response.status_code == 101 and flow.request.headers.get("upgrade", "").lower() != "websocket":
            passage.failure = UpgradeRefused("the destination answered 101 to a request that asked for no upgrade")
            self._answer(passage, passage.failure)
            return self._end(passage)  # nothing more of this answer is read, so no other hook will say it
        if self.draining:
            response.headers["Connection"] = "close"

        def through(data: bytes) -> bytes:
            passage.response_bytes += len(data)
            return data

        response.stream = through
        return None

    async def response(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is not None and flow.websocket is None:
            await self._end(passage)

    async def error(self, flow: http.HTTPFlow) -> None:
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
        await self._end(passage)

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

    async def websocket_end(self, flow: http.HTTPFlow) -> None:
        passage = passage_of(flow)
        if passage is not None:
            await self._end(passage)

    async def _end(self, passage: Passage) -> None:
        self._hold.give_back(passage)
        try:
            await self._settle(passage)
        except Exception:  # the request has left and is recorded; its outcome is what is missing
            log.exception("step.failed", step=self._settle.name, action=passage.id)
            metrics.LOST.inc()

    # --- connections ----------------------------------------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        self.services.tunnels.open(client.id)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        tunnel = self.services.tunnels.find(data.client.id)
        passage = None if tunnel is None else tunnel.passage
        server = data.server
        if (
            tunnel is None
            or passage is None
            or not passage.released
            or passage.route is None
            or passage.action is None
            or server.address is None
            or server.address[:2] != (passage.action.host, passage.action.port)
        ):
            log.error("connection.not-released", client=data.client.id)
            server.error = "no released request leads there"
            return
        tunnel.dialled[server.id] = ((passage.action.host, passage.action.port), passage.route)
        server.address = (passage.route.addresses[0], passage.route.port)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        tunnel = self.services.tunnels.find(data.client.id)
        if tunnel is None or data.server.id not in tunnel.dialled:
            return
        target, route = tunnel.dialled[data.server.id]
        tunnel.links[target] = Route(addresses=(route.addresses[0],), port=route.port, exempt=route.exempt)
        # mitmproxy finds a connection again by the address that was asked for (TRAPS 16), and locks the field.
        object.__setattr__(data.server, "address", target)

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        tunnel = self.services.tunnels.find(data.client.id)
        if tunnel is not None and (dialled := tunnel.dialled.pop(data.server.id, None)) is not None:
            tunnel.links.pop(dialled[0], None)

    async def client_disconnected(self, client: connection.Client) -> None:
        tunnel = self.services.tunnels.close(client.id)
        passage = None if tunnel is None else tunnel.passage
        if passage is None:
            return
        passage.left = True
        self.services.room.wake(passage.id, Woken.LEFT)
        if passage.released and not passage.settled:
            passage.failure = passage.failure or Abandoned("the client left")
            await self._end(passage)

    def check_credentials(self) -> None:
        """Ends what belongs to credentials that are no longer good; called when agents change and about once a second."""
        for client_id, tunnel in self.services.tunnels.all():
            if tunnel.credential is not None and not self.services.agents.is_live(tunnel.credential):
                self._cut(client_id, tunnel)

    def _cut(self, client_id: str, tunnel: Tunnel) -> None:
        passage = tunnel.passage
        if passage is None or passage.released or passage.answer is not None:
            self._close_client(client_id)
        else:  # it is being judged or held: it is answered, and then refused whatever comes next
            self.services.room.wake(passage.id, Woken.DISABLED)

    async def every_second(self) -> None:
        self.check_credentials()
        metrics.HELD.set(len(self.services.room))
        metrics.UNSETTLED.set(len(self._settle))
        await asyncio.gather(self.services.room.poll(), self._settle.again())

    def drain(self) -> None:
        """From now on nobody waits here, and every answer ends its connection."""
        self.draining = True
        self.services.room.drain()


def _length(request: http.Request) -> int | None:
    size = expected_http_body_size(request)
    return None if size is None or size < 0 else size
