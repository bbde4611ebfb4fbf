"""Names to addresses: asked once for all who want to know, and kept for as long as the answer says, within bounds; and the
operator's own routing, `AAF_CONNECT_TO`.

An answer that is kept is still classified for each request (`locate`), and what was checked is what is dialled (ARCHITECTURE,
invariant 4). Bounded: answers, look-ups under way, time, and the size of an answer.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from firewall.address import literal
from firewall.backends.dns import Answer, Dns, NoSuchName
from firewall.connect_to import parse_connect_to
from firewall.egress import Route
from firewall.errors import NotResolved

SECONDS = 5.0
LOOKUPS = 500
KEPT = 10_000
SHORTEST, LONGEST = 1, 60
"""Seconds that an answer is kept, whatever its TTL says."""
NEGATIVE = 5
"""Seconds that a name is said not to exist."""

Lookup = Callable[[str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """`addresses`: none for a name that does not exist. `until`: on the clock."""

    addresses: tuple[str, ...]
    until: float


class SystemResolver:
    """The `Resolver` port. Belongs to one event loop. `elsewhere`: no name is asked for, an upstream proxy resolves them."""

    def __init__(
        self,
        connect_to: str = "",
        *,
        lookup: Lookup | None = None,
        elsewhere: bool = False,
        seconds: float = SECONDS,
        kept: int = KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detours = parse_connect_to(connect_to)
        self._lookup = Dns() if lookup is None else lookup
        self._seconds = seconds
        self._elsewhere = elsewhere
        self._limit = kept
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._flying: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    def known(self, host: str, port: int) -> Route | None:
        """Where to dial, if nobody need be asked: an answer that is kept, an address already, or the operator's."""
        to_host, to_port, exempt = self._way(host, port) if self._detours else (host, port, False)
        kept = self._kept.get(to_host)
        if kept is not None and kept.addresses and self._clock() < kept.until:
            return Route(addresses=kept.addresses, port=to_port, exempt=exempt)
        address = literal(to_host)
        if address is None and not self._elsewhere:
            return None
        return Route(addresses=(address or to_host,), port=to_port, exempt=exempt, unchecked=address is None)

    def _way(self, host: str, port: int) -> tuple[str, int, bool]:
        for detour in self._detours:
            if detour.matches(host, port):
                return detour.to_host or host, detour.to_port or port, detour.to_host != ""
        return host, port, False

    async def route(self, host: str, port: int) -> Route:
        """Where to dial. A detour to an address or a name of the operator's is exempt from the address classes; one that only
        changes the port is not, for the address is still what the agent's name resolves to. Raises NotResolved."""
        if self._elsewhere and (known := self.known(host, port)) is not None:
            return known
        to_host, to_port, exempt = self._way(host, port)
        return Route(addresses=await self._addresses(to_host), port=to_port, exempt=exempt)

    async def _addresses(self, host: str) -> tuple[str, ...]:
        address = literal(host)
        if address is not None:
            return (address,)
        kept = self._kept.get(host)
        if kept is not None and self._clock() < kept.until:
            if not kept.addresses:
                raise NotResolved(f"{host} does not resolve: there is no such name")
            return kept.addresses
        return await asyncio.shield(self._flying.get(host) or self._start(host))

    def _start(self, host: str) -> "asyncio.Task[tuple[str, ...]]":
        if len(self._flying) >= LOOKUPS:
            raise NotResolved("too many names are being resolved")
        task = self._flying[host] = asyncio.get_running_loop().create_task(self._ask(host))
        task.add_done_callback(lambda done: self._landed(host, done))
        return task

    async def _ask(self, host: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._lookup(host)
        except TimeoutError:
            raise NotResolved(f"{host} did not resolve within {self._seconds:g} s") from None
        except NoSuchName as error:
            self._keep(host, (), NEGATIVE)
            raise NotResolved(f"{host} does not resolve: {error}") from error
        except OSError as error:
            raise NotResolved(f"{host} does not resolve: {error}") from error
        self._keep(host, answer.addresses, min(max(answer.ttl, SHORTEST), LONGEST))
        return answer.addresses

    def _keep(self, host: str, addresses: tuple[str, ...], seconds: int) -> None:
        self._kept[host] = _Kept(addresses, self._clock() + seconds)
        self._kept.move_to_end(host)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def _landed(self, host: str, done: "asyncio.Task[tuple[str, ...]]") -> None:
        del self._flying[host]
        if not done.cancelled():
            done.exception()  # seen, even if everyone who asked has left

    async def close(self) -> None:
        """Asks no more."""
        flying = list(self._flying.values())
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
