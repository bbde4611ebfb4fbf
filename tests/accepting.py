"""What Python's asyncio does with a connection that comes while its server closes (CPython, gh-109564): it makes a transport, fails
to attach it, and leaves it unclosed. The warning of that comes whenever the garbage is collected, in any later test."""

import asyncio
from typing import Any

_attach: Any = asyncio.Server._attach  # type: ignore[attr-defined]


def _attach_or_close(server: Any, transport: Any) -> None:
    if server._sockets is None:
        transport._sock.close()
        transport._sock = None  # by which a transport knows that it is closed
        raise ConnectionAbortedError("the server was closed while the connection came")
    _attach(server, transport)


def close_what_comes_late() -> None:
    asyncio.Server._attach = _attach_or_close  # type: ignore[attr-defined]
