"""The end of a connection that still has something to send: it waits for as long as the peer takes some of it."""

import asyncio

STALLED_SECONDS = 10.0
"""How long a peer may take nothing of what is left."""


def close(transport: asyncio.Transport) -> None:
    """Ends it when all is sent; nothing more is read."""
    transport.close()
    _look_later(transport)


def _look_later(transport: asyncio.Transport) -> None:
    left = transport.get_write_buffer_size()
    if left:
        asyncio.get_running_loop().call_later(STALLED_SECONDS, _look, transport, left)


def _look(transport: asyncio.Transport, before: int) -> None:
    if transport.get_write_buffer_size() >= before:
        transport.abort()
    else:
        _look_later(transport)
