"""Bodies of any size, made as they are sent and forgotten as they come: the destination's side and the agent's. Whoever is not read
from stops sending."""

import asyncio
from typing import cast

BULK = "/items/bulk/"
"""`BULK` and a number: answered with so many bytes at once, whatever the request's body is."""
BLOCK = b"b" * (64 << 10)


class Stream(asyncio.Protocol):
    """Sends `head` and then `size` bytes, and counts what comes. `done`: all is sent, and `expected` bytes have come."""

    def __init__(self, head: bytes, size: int, expected: int) -> None:
        self.got = 0
        self.head = b""
        """The first bytes that came."""
        self.sent = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start, self._size, self._expected = head, size, expected
        self._transport: asyncio.Transport | None = None
        self._paused = False

    def take(self, transport: asyncio.BaseTransport, came: bytes = b"") -> None:
        """Begins on a connection that stands. `came`: what was read of the body already."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._transport.set_protocol(self)
        self._transport.write(self._start)
        if came:
            self.data_received(came)
        self._pump()

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if len(self.head) < 4096:
            self.head += data[:4096]
        self._finish()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self.sent = self._size
        if not self.done.done():
            self.done.set_result(None)

    def pause(self) -> None:
        """Reads no more."""
        assert self._transport is not None
        self._transport.pause_reading()

    def close(self) -> None:
        """What is written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def _pump(self) -> None:
        assert self._transport is not None
        while not self._paused and self.sent < self._size and not self._transport.is_closing():
            block = BLOCK[: self._size - self.sent]
            self.sent += len(block)
            self._transport.write(block)
        self._finish()

    def _finish(self) -> None:
        if self.sent == self._size and self.got >= self._expected and not self.done.done():
            self.done.set_result(None)


def answer(target: str, length: int) -> Stream:
    """The destination's side of a request for `target` whose body has `length` bytes."""
    size = int(target.removeprefix(BULK))
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    stream = Stream(head, size, length)
    stream.done.add_done_callback(lambda _done: stream.close())
    return stream
