"""A child that must not outlive its parent (Linux: prctl(2), PR_SET_PDEATHSIG)."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def dies_with(parent: int) -> Callable[[], None]:
    """What runs in the child, between fork and exec, so that it gets SIGINT when the parent's thread that started it ends.
    `parent`: the parent's process id, for a parent that is gone before the child has asked will send no signal."""

    def ask() -> None:
        if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT) != 0:
            raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG")
        if os.getppid() != parent:
            os._exit(1)

    return ask
