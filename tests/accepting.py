"""What asyncio leaves to the garbage, which is collected whenever that happens to be, and fails whichever test runs then."""

import asyncio
from typing import Any

_attach: Any = asyncio.Server._attach  # type: ignore[attr-defined]
_kept: set["asyncio.Task[Any]"] = set()


def keep_handler() -> None:
    """For a server's handler that may wait for what never comes: when the peer has left, nobody but itself holds its task."""
    task = asyncio.current_task()
    assert task is not None
    _kept.add(task)
    task.add_done_callback(_kept.discard)


def _attach_or_close(server: Any, transport: Any) -> None:
    """CPython, gh-109564: a connection that comes while its server closes gets a transport, which cannot be attached and stays
    unclosed."""
    if server._sockets is None:
        transport._sock.close()
        transport._sock = None  # by which a transport knows that it is closed
        raise ConnectionAbortedError("the server was closed while the connection came")
    _attach(server, transport)


def close_what_comes_late() -> None:
    asyncio.Server._attach = _attach_or_close  # type: ignore[attr-defined]
