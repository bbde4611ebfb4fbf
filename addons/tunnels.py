"""What is known of each client connection: whose it is, where its CONNECT leads, and which requests are on
their way. An identity travels here, never in a header."""

from dataclasses import dataclass, field

from addons.passage import Passage
from firewall.errors import Abandoned
from firewall.ports import Credential

Target = tuple[str, int]
"""Host (canonical) and port."""


@dataclass(slots=True, kw_only=True)
class Tunnel:
    """`target` is None outside a CONNECT. `passages`: the requests under way; several at once with HTTP/2 alone."""

    credential: Credential | None = None
    target: Target | None = None
    passages: set[Passage] = field(default_factory=set)


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
