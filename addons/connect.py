"""CONNECT: not yet a request, only the road to some. It says where; the policy's ports say whether that may be at all. But for a
host that is passed through, it is all there will be to judge: an action, which takes the rest of the path."""

from dataclasses import replace

from addons.classify import unknown_action
from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy, EngineUnavailable, Malformed
from firewall.request import Request, parse_authority

PLAIN_PORT = 80
"""What is not TLS is judged there, whatever the host."""
END = "end"
"""No further step: what comes in the tunnel is judged when it comes."""


class Connect(Step):
    name = "connect"

    def __call__(self, passage: Passage) -> str | None:
        flow = passage.flow
        passage.action = unknown_action(passage, None)
        if flow.error is not None:
            raise Malformed(flow.error.msg.partition(", refusing")[0])
        host, port = parse_authority(flow.request.data.authority.decode("ascii", "replace"), None)
        passage.action = replace(passage.action, host=host, port=port)
        destinations = self.services.destinations()
        if destinations is None:
            raise EngineUnavailable("no policy is active")
        if port not in destinations.ports:
            raise DeniedByPolicy(f"the policy names no port {port}", revision=self.services.revisions.active or "")
        flow.request.data.host, flow.request.data.port = host, port
        if port != PLAIN_PORT and destinations.passes_through(host):
            self._make_action(passage, host, port)
            return None
        self.services.tunnels.of(passage.client_id).target = (host, port)
        return END

    def _make_action(self, passage: Passage, host: str, port: int) -> None:
        """All that is known of what the tunnel will carry. Nothing of the head goes further, so nothing of it is digested."""
        passage.action = replace(passage.with_action(), scheme="https", path="", segments=(), query="", opaque=True)
        passage.request = Request(
            method="CONNECT",
            scheme="https",
            host=host,
            port=port,
            target=f"{host}:{port}".encode(),
            path="",
            query="",
            segments=(),
            headers=(),
        )
        passage.whole = True
