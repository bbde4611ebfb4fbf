"""CONNECT: not yet a request, only the road to some. It says where; the policy's ports say whether that may be at all."""

from dataclasses import replace

from addons.classify import unknown_action
from addons.passage import Passage, Step
from firewall.errors import DeniedByPolicy, EngineUnavailable, Malformed
from firewall.request import parse_authority


class Connect(Step):
    name = "connect"

    def __call__(self, passage: Passage) -> None:
        flow = passage.flow
        passage.action = unknown_action(passage, None)
        if flow.error is not None:
            raise Malformed(flow.error.msg.partition(", refusing")[0])
        host, port = parse_authority(flow.request.data.authority.decode("ascii", "replace"), None)
        passage.action = replace(passage.action, host=host, port=port)
        revisions = self.services.revisions
        active = revisions.active
        destinations = None if active is None else revisions.kept(active)
        if destinations is None:
            raise EngineUnavailable("no policy is active")
        if port not in destinations.ports:
            raise DeniedByPolicy(f"the policy names no port {port}", revision=active or "")
        flow.request.data.host, flow.request.data.port = host, port
        tunnel = self.services.tunnels.of(passage.client_id)
        tunnel.target = (host, port)
