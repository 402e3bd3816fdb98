"""The allocator of the C library: a worker does not keep what large bodies took in many places."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # malloc.h of glibc
_ARENAS = 2  # Python runs one thread at a time, so threads seldom wait for each other here


def share_arenas() -> None:
    """Let the threads of this process share glibc's arenas; with another C library nothing happens.

    By default each thread has an arena of its own, and each keeps what a large body once took.
    """
    try:
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)
    except (AttributeError, OSError, TypeError):
        return
