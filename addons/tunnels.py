"""What is known of each client connection: whose it is, where its CONNECT leads, and which requests are on
their way. An identity travels here, never in a header."""

from collections import Counter
from dataclasses import dataclass, field

from addons.passage import Passage
from firewall.errors import Abandoned, TooManyConnections
from firewall.ids import AgentId
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
    """Of this process."""

    def __init__(self) -> None:
        self._tunnels: dict[str, Tunnel] = {}
        self._counts: Counter[AgentId] = Counter()

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

    def claim(self, client_id: str, credential: Credential, *, limit: int) -> None:
        """From now on the connection is this agent's. Raises TooManyConnections when it has `limit` others here."""
        tunnel = self.of(client_id)
        agent = credential.agent.id
        if tunnel.credential is None:
            if self._counts[agent] >= limit:
                raise TooManyConnections(f"the agent has {limit} connections")
            self._counts[agent] += 1
        tunnel.credential = credential

    def count(self, agent: AgentId) -> int:
        return self._counts[agent]

    def close(self, client_id: str) -> Tunnel | None:
        tunnel = self._tunnels.pop(client_id, None)
        if tunnel is not None and tunnel.credential is not None:
            agent = tunnel.credential.agent.id
            self._counts[agent] -= 1
            if self._counts[agent] <= 0:
                del self._counts[agent]
        return tunnel

    def all(self) -> list[tuple[str, Tunnel]]:
        return list(self._tunnels.items())
