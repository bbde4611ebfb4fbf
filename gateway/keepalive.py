"""Connections that may be silent for days, and have no time of their own (a WebSocket, a tunnel that is passed through): the kernel
asks now and then whether the peer is still there, so that a dead one is noticed all the same."""

import socket
from contextlib import suppress

from gateway.link import Link

IDLE_SECONDS, BETWEEN_SECONDS, TIMES = 60, 20, 4
_OPTIONS = (("TCP_KEEPIDLE", IDLE_SECONDS), ("TCP_KEEPINTVL", BETWEEN_SECONDS), ("TCP_KEEPCNT", TIMES))


def keep_alive(*links: Link) -> None:
    for link in links:
        with suppress(OSError):  # it was reset a moment ago
            if link.open:
                link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for name, value in _OPTIONS:
                    if hasattr(socket, name):  # else the system's own times stand
                        link.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
