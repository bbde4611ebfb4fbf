"""One look-up at a time, by c-ares on this event loop: /etc/hosts, then the servers that resolv.conf names.

Each look-up has a channel of its own (50 µs): a channel keeps answers for an hour, whatever we would, and sees a changed file
late. It also has a socket of its own, so a forged answer must guess the port as well as the number of the question.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pycares

ADDRESSES = 32
_TICK_SECONDS = 0.5
_NO_SUCH = frozenset({pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_EBADNAME})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`addresses`: all of the answer, IPv4 and IPv6, those first that this machine can reach (RFC 6724). `ttl`: seconds, the
    shortest in it."""

    addresses: tuple[str, ...]
    ttl: int


class NoSuchName(OSError):
    """The name does not exist, or has no address."""


class Dns:
    """`servers`: addresses, with a port if it is not 53; none: those of resolv.conf."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)

    async def __call__(self, host: str) -> Answer:
        """Raises NoSuchName, or another OSError when nobody could say. Waits for as long as the servers' time-outs are."""
        asking = _Asking(self._servers)
        try:
            return _answer(await asking.ask(host))
        finally:
            asking.close()


class _Asking:
    """Lends the loop's readers, writers and timers to one channel."""

    def __init__(self, servers: tuple[str, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Future[pycares.AddrInfoResult] = self._loop.create_future()
        self._reading: set[int] = set()
        self._writing: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._channel = pycares.Channel(sock_state_cb=self._watch, servers=servers or None)

    def ask(self, host: str) -> "asyncio.Future[pycares.AddrInfoResult]":
        self._channel.getaddrinfo(host, None, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, callback=self._told)
        if not self._found.done():
            self._tick()
        return self._found

    def close(self) -> None:
        """The channel itself ends in a thread of pycares, which may still call `_watch`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for fd in self._reading:
            self._loop.remove_reader(fd)
        for fd in self._writing:
            self._loop.remove_writer(fd)
        self._channel.close()

    def _told(self, result: Any, error: int | None) -> None:
        if self._closed or self._found.done():
            return
        if error is None:
            self._found.set_result(result)
        else:
            kind = NoSuchName if error in _NO_SUCH else OSError
            self._found.set_exception(kind(pycares.errno.strerror(error)))

    def _watch(self, fd: int, readable: bool, writable: bool) -> None:
        if self._closed:
            return
        if readable and fd not in self._reading:
            self._reading.add(fd)
            self._loop.add_reader(fd, self._channel.process_read_fd, fd)
        elif not readable and fd in self._reading:
            self._reading.discard(fd)
            self._loop.remove_reader(fd)
        if writable and fd not in self._writing:
            self._writing.add(fd)
            self._loop.add_writer(fd, self._channel.process_write_fd, fd)
        elif not writable and fd in self._writing:
            self._writing.discard(fd)
            self._loop.remove_writer(fd)

    def _tick(self) -> None:
        self._channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        next_one: float = self._channel.timeout(_TICK_SECONDS)  # type: ignore[no-untyped-call]
        self._timer = self._loop.call_later(max(0.01, next_one), self._tick)


def _answer(found: pycares.AddrInfoResult) -> Answer:
    addresses = tuple(dict.fromkeys(_text(node.addr[0]) for node in found.nodes))
    if not addresses:
        raise NoSuchName("the answer is empty")
    if len(addresses) > ADDRESSES:
        # All of an answer is classified, or none of it is used.
        raise OSError(f"the answer has more than {ADDRESSES} addresses")
    ttls = [node.ttl for node in found.nodes] + [alias.ttl for alias in found.cnames]
    return Answer(addresses=addresses, ttl=min(ttls))


def _text(address: bytes | str) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address
