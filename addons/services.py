"""What the steps work with: the domain's ports and this gateway's limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from addons.memory import Memory
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from firewall.classify.known import NOBODY, Known
from firewall.egress import Destinations, OwnSockets, Resolver
from firewall.ports import Agents, Approvals, Engine, Ledger, Revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`hold_seconds`: how long a connection is held. `body_inspect_bytes`: how much of a body is read to judge its request;
    `body_hold_bytes`: the largest body that can wait for approval; `held_bytes`: for all bodies that are read so at once.
    `holds_per_agent`: held requests of one agent, everywhere. `connections_per_agent`: open connections of one agent to this
    process."""

    hold_seconds: float = 55
    body_inspect_bytes: int = 1 << 20
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
    known: Callable[[], Known] = lambda: NOBODY
    """What this process knows of services, at this moment."""
    memory: Memory = field(default_factory=Memory)

    def destinations(self) -> Destinations | None:
        """What the active policy says of destinations; None where none is active."""
        active = self.revisions.active
        return None if active is None else self.revisions.kept(active)
