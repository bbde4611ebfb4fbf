"""Names to addresses by the system's resolver (getaddrinfo), in threads of our own; and the operator's own routing,
`AAF_CONNECT_TO`.

Nothing is cached: what was checked is what is dialled (ARCHITECTURE, invariant 4), and two requests share an answer only while
one look-up is under way. Bounded: threads, look-ups waiting, time, and the size of an answer.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from firewall.address import literal
from firewall.connect_to import parse_connect_to
from firewall.errors import NotResolved
from firewall.ports import Route

THREADS = 8
LOOKUPS = 1_000
SECONDS = 5.0
ADDRESSES = 32

Lookup = Callable[[str, int], Sequence[str]]


def system_lookup(host: str, port: int) -> Sequence[str]:
    """Blocking. Raises OSError. As bytes, because for text Python would apply an older IDNA than ours."""
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class SystemResolver:
    """The `Resolver` port. Belongs to one event loop. `close` lets go of the threads."""

    def __init__(self, connect_to: str = "", *, lookup: Lookup = system_lookup, seconds: float = SECONDS) -> None:
        self._detours = parse_connect_to(connect_to)
        self._lookup = lookup
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="resolver")
        self._flying: dict[tuple[str, int], asyncio.Future[tuple[str, ...]]] = {}
        self._running = 0

    def known(self, host: str, port: int) -> Route | None:
        """Where to dial, if that is an address already: a literal one, or the operator's."""
        to_host, to_port, exempt = self._way(host, port)
        address = literal(to_host)
        return None if address is None else Route(addresses=(address,), port=to_port, exempt=exempt)

    def _way(self, host: str, port: int) -> tuple[str, int, bool]:
        for detour in self._detours:
            if detour.matches(host, port):
                return detour.to_host or host, detour.to_port or port, detour.to_host != ""
        return host, port, False

    async def route(self, host: str, port: int) -> Route:
        """Where to dial. A detour to an address or a name of the operator's is exempt from the address classes; one that only
        changes the port is not, for the address is still what the agent's name resolves to. Raises NotResolved."""
        to_host, to_port, exempt = self._way(host, port)
        return Route(addresses=await self._addresses(to_host, to_port), port=to_port, exempt=exempt)

    async def _addresses(self, host: str, port: int) -> tuple[str, ...]:
        address = literal(host)
        if address is not None:
            return (address,)
        key = (host, port)
        shared = self._flying.get(key)
        if shared is None:
            shared = self._start(key)
        try:
            return await asyncio.wait_for(asyncio.shield(shared), self._seconds)
        except TimeoutError:
            # Whoever asks next starts afresh; the stuck thread still counts against the bound.
            if self._flying.get(key) is shared:
                del self._flying[key]
            raise NotResolved(f"{host} did not resolve within {self._seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NotResolved(f"{host} does not resolve: {error}") from error

    def _start(self, key: tuple[str, int]) -> asyncio.Future[tuple[str, ...]]:
        if self._running >= LOOKUPS:
            raise NotResolved("too many names are being resolved")
        self._running += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._blocking, *key)
        self._flying[key] = future
        future.add_done_callback(lambda done: self._landed(key, done))
        return future

    def _blocking(self, host: str, port: int) -> tuple[str, ...]:
        addresses = tuple(dict.fromkeys(self._lookup(host, port)))
        if not addresses:
            raise OSError("the answer is empty")
        if len(addresses) > ADDRESSES:
            # All of an answer is classified, or none of it is used.
            raise OSError(f"the answer has more than {ADDRESSES} addresses")
        return addresses

    def _landed(self, key: tuple[str, int], done: asyncio.Future[tuple[str, ...]]) -> None:
        self._running -= 1
        if self._flying.get(key) is done:
            del self._flying[key]
        if not done.cancelled():
            done.exception()  # seen, even if everyone who asked has left

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
