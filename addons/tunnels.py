"""What is known of each client connection: whose it is, where its CONNECT leads, which request is on its way, and which
upstream connections are open for it. An identity travels here, never in a header."""

from dataclasses import dataclass, field

from addons.passage import Passage
from firewall.errors import Abandoned
from firewall.ports import Credential, Route

Target = tuple[str, int]
"""Host (canonical) and port."""


@dataclass(slots=True, kw_only=True)
class Tunnel:
    """`target` is None outside a CONNECT. `links`: how each open upstream connection was dialled, so that
    a request that uses it again has that very address checked."""

    credential: Credential | None = None
    target: Target | None = None
    passage: Passage | None = None
    links: dict[Target, Route] = field(default_factory=dict)
    dialled: dict[str, tuple[Target, Route]] = field(default_factory=dict)
    """By mitmproxy's identifier of the upstream connection: what was asked for, and how it was dialled."""


class Tunnels:
    def __init__(self) -> None:
        self._tunnels: dict[str, Tunnel] = {}

    def open(self, client_id: str) -> Tunnel:
        tunnel = self._tunnels[client_id] = Tunnel()
        return tunnel

    def of(self, client_id: str) -> Tunnel:
        """Raises Abandoned when the connection is gone."""
        tunnel = self._tunnels.get(client_id)
        if tunnel is None:
            raise Abandoned("the client left")
        return tunnel

    def find(self, client_id: str) -> Tunnel | None:
        return self._tunnels.get(client_id)

    def close(self, client_id: str) -> Tunnel | None:
        return self._tunnels.pop(client_id, None)

    def all(self) -> list[tuple[str, Tunnel]]:
        return list(self._tunnels.items())
