"""Where a request may go and where it is dialled: what a policy revision says of destinations, routes, and who finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firewall.globs import host_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """The part of a policy revision that the gateway applies itself, because Rego must not judge addresses.

    `allow_private`: address ranges in CIDR form that the address guard lets pass. `http2`, `pass_through`: host globs.
    `naming_rules`: the ids of the rules that name their hosts. `speakers`: dialect → globs of the hosts that speak it.
    """

    ports: frozenset[int] = frozenset({80, 443})
    allow_private: tuple[str, ...] = ()
    http2: tuple[str, ...] = ()
    pass_through: tuple[str, ...] = ()
    naming_rules: frozenset[str] = frozenset()
    speakers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def prefers_http2(self, host: str) -> bool:
        return bool(self.http2) and host_pattern(self.http2).fullmatch(host) is not None

    def passes_through(self, host: str) -> bool:
        """Whether the TLS to this host is not opened."""
        return bool(self.pass_through) and host_pattern(self.pass_through).fullmatch(host) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a host and port are to be dialled. `addresses`: textual IP addresses, all of them, in the order they came.
    `exempt`: the operator's own routing (AAF_CONNECT_TO), which the address guard lets pass. `unchecked`: `addresses` is the name
    alone, which an upstream proxy resolves."""

    addresses: tuple[str, ...]
    port: int
    exempt: bool = False
    unchecked: bool = False


class Resolver(Protocol):
    def known(self, host: str, port: int) -> Route | None:
        """What needs no look-up."""

    async def route(self, host: str, port: int) -> Route:
        """Resolves once. `host`: a name (lower-case A-labels) or a literal address without brackets. Raises NotResolved."""


class OwnSockets(Protocol):
    """The sockets that this installation listens on: no agent may reach them, whatever the policy names."""

    def __call__(self, address: str, port: int) -> bool:
        """Whether `address` (textual, any form) and `port` lead to one of them."""
        ...
