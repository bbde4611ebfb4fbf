"""One TCP connection as protocol callbacks, without streams and tasks, with TLS by `ssl.SSLObject` on top where it is wanted.

Reading stops while somebody has a reason for it (`hold`, counted), and the owner is told when the peer does not take what is
written (`pressure`), so that bytes never gather here: at most one read and what the kernel holds.
"""

import asyncio
import os
import select
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

from gateway.ending import close

READ_BYTES = 64 << 10
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER by which closing sends RST."""
_GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Owner(Protocol):
    def received(self, link: "Link", data: bytes) -> None: ...

    def pressure(self, link: "Link", high: bool) -> None:
        """`high`: the peer takes no more for now; the same call with False ends that."""

    def lost(self, link: "Link") -> None:
        """The connection is over, whoever ended it. Comes once, and nothing comes after it."""


Secured = Callable[[Exception | None], None]


class Link(asyncio.Protocol):
    """Bytes that come without an owner end the connection: nobody asked for them."""

    def __init__(self, owner: Owner | None = None) -> None:
        self.owner = owner
        self.tls: ssl.SSLObject | None = None
        self.congested = False
        self.ended_well = False
        """The peer said that it has sent all: by FIN, in TLS by its goodbye."""
        self.resets = False
        """An end at once must not look like one that is meant, so it is a reset."""
        self.last = 0.0
        """When a byte last came or went, on the loop's clock."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._incoming: ssl.MemoryBIO | None = None
        self._outgoing: ssl.MemoryBIO | None = None
        self._secured: Secured | None = None
        self._holds = 0
        self._over = False
        self._finished = False

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.last = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._finished:
            return
        self.last = self._loop.time()
        if self.tls is None:
            self._deliver(data)
            return
        assert self._incoming is not None
        self._incoming.write(data)
        if self._secured is not None:
            self._handshake()
        else:
            self._decrypt()

    def eof_received(self) -> bool:
        if self.tls is None and self._transport is not None:
            # uvloop tells a reset that comes with the last bytes as an end; the error still stands on the socket then
            self.ended_well = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        secured, self._secured = self._secured, None
        if secured is not None:
            secured(exc or ConnectionResetError("the connection ended during the TLS handshake"))
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.lost(self)

    def pause_writing(self) -> None:
        self.congested = True
        if self.owner is not None:
            self.owner.pressure(self, True)

    def resume_writing(self) -> None:
        self.congested = False
        self.last = self._loop.time()
        if self.owner is not None:
            self.owner.pressure(self, False)

    # --- TLS

    def start_tls(
        self, context: ssl.SSLContext, secured: Secured, *, server_side: bool, server_name: str | None = None, begun: bytes = b""
    ) -> None:
        """`secured` is called once, with what went wrong or None. `begun`: what the peer has sent of its handshake already.
        Whoever calls this ends what takes too long."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name)
        self._secured = secured
        if begun:
            self._incoming.write(begun)
        self._handshake()

    def _handshake(self) -> None:
        assert self.tls is not None
        error: Exception | None = None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError) as failed:  # ValueError: a certificate for a name that no name can be
            error = failed
        self._flush()  # the last flight, or the alert
        secured, self._secured = self._secured, None
        if secured is not None:
            secured(error)
        if error is not None:
            self._end()
        elif self.tls is not None and not self._over:
            self._decrypt()

    def _decrypt(self) -> None:
        assert self.tls is not None
        assert self._incoming is not None
        pieces: list[bytes] = []
        ended = False
        try:
            while True:
                data = self.tls.read(READ_BYTES)
                if not data:
                    ended = self.ended_well = True
                    break
                pieces.append(data)
                if not self._incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            ended = True
        self._flush()  # a key update, an alert
        if pieces:
            self._deliver(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if ended:
            self._end()

    def _flush(self) -> None:
        if self._outgoing is not None and self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())

    # --- for the owner

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._over and not self._transport.is_closing()

    @property
    def held(self) -> bool:
        return self._holds > 0

    @property
    def socket(self) -> Any:
        """As the transport lends it: for its number and its options."""
        return None if self._transport is None else self._transport.get_extra_info("socket")

    @property
    def backlog(self) -> int:
        """Bytes that the peer has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def peer(self) -> tuple[str, int]:
        found = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (str(found[0]), int(found[1])) if found else ("", 0)

    @property
    def here(self) -> tuple[str, int]:
        found = self._transport.get_extra_info("sockname") if self._transport is not None else None
        return (str(found[0]), int(found[1])) if found else ("", 0)

    def write(self, data: bytes) -> None:
        if not self.open or self._finished or not data:
            return
        assert self._transport is not None
        self.last = self._loop.time()
        if self.tls is None:
            self._transport.write(data)
            return
        try:
            sent = self.tls.write(data)
            while sent < len(data):  # OpenSSL may stop after a record
                sent += self.tls.write(memoryview(data)[sent:])
        except ssl.SSLError:  # the peer has shut TLS down
            self.abort()
            return
        self._flush()

    def hold(self) -> None:
        """One more reason not to read."""
        self._holds += 1
        if self._holds == 1 and self.open and self._transport is not None:
            self._transport.pause_reading()

    def unhold(self) -> None:
        self._holds -= 1
        if self._holds == 0 and self.open and self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Sends what is written, says goodbye in TLS, and ends. `lost` follows."""
        if not self.open:
            return
        self._goodbye()
        self._end()

    def finish(self) -> None:
        """Says goodbye and sends no more. What still comes is read and forgotten, until the peer ends the connection."""
        if not self.open or self._finished or self._transport is None:
            return
        self._finished = True
        self._goodbye()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # a listener's own TLS
            close(self._transport)

    def abort(self) -> None:
        """Ends at once. `lost` follows, if it has not come."""
        if self._transport is None or self._over:
            return
        if self.resets and self.open:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def catch_up(self) -> None:
        """Takes what the loop has not told of yet: where the peer has ended the connection behind it, a write would lose it."""
        if self._transport is None or self._transport.get_extra_info("sslcontext") is not None:  # not our TLS, so not our bytes
            return
        while self._holds == 0 and self.open and self._poll(select.POLLIN):
            try:
                data = os.read(self.socket.fileno(), READ_BYTES)
            except BlockingIOError:
                return
            except OSError:  # reset, which is told only once
                self.abort()
                return
            if not data:  # an end is told again
                return
            self.data_received(data)

    def quiet(self) -> bool:
        """Whether nothing has come that the loop has not told of yet: no byte, no end."""
        return self.open and not self._poll(select.POLLIN)

    def gone(self) -> bool:
        """Whether the peer has ended the connection, asked while reading is held, when the loop would not say."""
        return self._holds > 0 and self.open and bool(self._poll(_GONE))

    # ---

    def _deliver(self, data: bytes) -> None:
        if self.owner is None:
            self.abort()
        else:
            self.owner.received(self, data)

    def _goodbye(self) -> None:
        if self.tls is not None and self._secured is None:
            with suppress(ssl.SSLError):  # the peer's goodbye is not waited for
                self.tls.unwrap()
        self._flush()

    def _end(self) -> None:
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            close(self._transport)

    def _poll(self, events: int) -> int:
        poll = select.poll()
        poll.register(self.socket.fileno(), events)
        found = poll.poll(0)
        return found[0][1] & (events | _GONE) if found else 0
