"""A child that must not outlive its parent (Linux: prctl(2), PR_SET_PDEATHSIG)."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Runs in the child, between fork and exec: SIGINT when the parent's thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
