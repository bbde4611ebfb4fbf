"""A passage on a flow of mitmproxy's own making, and the services that a step works with."""

import asyncio
from dataclasses import replace
from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from addons.passage import Passage
from addons.services import Limits, Services
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from firewall.action import Action, Kind, Risk
from firewall.egress import Resolver
from firewall.ids import ActionId
from tests.gateway.rig import SomeAgents, SomeApprovals, SomeEngine, SomeLedger, SomeResolver, SomeRevisions, SomeSockets, now

CLIENT = "client-1"


class Made:
    """Everything a step meets."""

    def __init__(self, *, resolver: Resolver | None = None, **limits: Any) -> None:
        self.agents, self.revisions, self.engine = SomeAgents(), SomeRevisions(), SomeEngine()
        self.resolver, self.own_sockets, self.ledger = SomeResolver(), SomeSockets(), SomeLedger()
        self.approvals = SomeApprovals(self.ledger)
        self.services = Services(
            agents=self.agents,
            revisions=self.revisions,
            engine=self.engine,
            resolver=resolver or self.resolver,
            own_sockets=self.own_sockets,
            ledger=self.ledger,
            approvals=self.approvals,
            room=WaitingRoom(self.approvals.states),
            tunnels=Tunnels(),
            limits=replace(Limits(hold_seconds=30), **limits),
            digest_key=bytes(32),
            now=now,
            clock=asyncio.get_running_loop().time,
        )
        self.services.tunnels.open(CLIENT)

    def passage(
        self,
        method: str = "GET",
        path: str = "/a",
        *,
        host: str = "up.test",
        port: int = 80,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        content: bytes = b"",
        number: int = 1,
    ) -> Passage:
        fields = ((b"Host", host.encode()), *headers)
        if content:
            fields = (*fields, (b"Content-Length", str(len(content)).encode()))
        flow = tflow.tflow()
        flow.request = http.Request(
            host, port, method.encode(), b"http", b"", path.encode(), b"HTTP/1.1", http.Headers(fields), content, None, 0.0, 0.0
        )
        flow.response = None
        return Passage(
            flow=flow,
            id=ActionId(f"act_{number:032x}"),
            client_id=CLIENT,
            source_ip="127.0.0.1",
            started=self.services.clock(),
        )

    def known(self, **more: Any) -> Passage:
        """A passage that is authenticated."""
        passage = self.passage(**more)
        passage.credential = self.agents.credential
        return passage

    def classified(self, **more: Any) -> Passage:
        """A passage with an action."""
        passage = self.known(**more)
        request = passage.flow.request
        passage.action = Action(
            id=passage.id,
            agent="demo",
            agent_id=self.agents.credential.agent.id,
            service="http",
            operation=request.method,
            kind=Kind.READ,
            risk=Risk.MEDIUM,
            method=request.method,
            scheme="http",
            host=request.host,
            port=request.port,
            path=request.path,
            segments=tuple(request.path.strip("/").split("/")),
        )
        return passage
