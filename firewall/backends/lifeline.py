"""How child processes and their parent know of each other: a pipe that ends when the parent does, and one on which a child says
that it is ready."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping


def watch(fd: int, on_eof: Callable[[], None]) -> None:
    """Calls `on_eof` once, when the other end of the pipe is closed. Needs a running event loop."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)

    def readable() -> None:
        try:
            data = os.read(fd, 64)
        except BlockingIOError:
            return
        if not data:
            loop.remove_reader(fd)
            on_eof()

    loop.add_reader(fd, readable)


def announce(fd: int, message: Mapping[str, object]) -> None:
    """Writes `message` as one JSON line and closes the pipe. A parent that is gone meanwhile is noticed by the lifeline."""
    try:
        with os.fdopen(fd, "w") as pipe:
            pipe.write(json.dumps(message) + "\n")
    except BrokenPipeError:
        return
