"""What the steps work with: the domain's ports and this gateway's limits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from firewall.egress import Destinations, OwnSockets, Resolver
from firewall.ports import Agents, Approvals, Engine, Ledger, Revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`hold_seconds`: how long a connection is held. `body_hold_bytes`: the largest body that can wait for approval;
    `held_bytes`: for all that this process holds at once. `holds_per_agent`: held requests of one agent, everywhere.
    `connections_per_agent`: open connections of one agent to this process."""

    hold_seconds: float = 55
    body_hold_bytes: int = 4 << 20
    held_bytes: int = 256 << 20
    holds_per_agent: int = 1000
    connections_per_agent: int = 1000


@dataclass(slots=True, kw_only=True)
class Services:
    """`limits` may be replaced while requests are under way; nothing else is."""

    agents: Agents
    revisions: Revisions
    engine: Engine
    resolver: Resolver
    own_sockets: OwnSockets
    ledger: Ledger
    approvals: Approvals
    room: WaitingRoom
    tunnels: Tunnels
    limits: Limits
    digest_key: bytes
    now: Callable[[], datetime]
    clock: Callable[[], float]
    """Seconds, monotonic: the event loop's."""

    def destinations(self) -> Destinations | None:
        """What the active policy says of destinations; None where none is active."""
        active = self.revisions.active
        return None if active is None else self.revisions.kept(active)
