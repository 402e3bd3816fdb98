"""The allocator of the C library: a worker does not keep what large bodies took in many places."""

from __future__ import annotations

import ctypes

# malloc.h of glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_ARENAS = 2  # Python runs one thread at a time, so threads seldom wait for each other here
# Parsing JSON takes twelve times its size in one block. That of a usual record stays with us, since
# new memory costs more than the parsing; that of a very large one goes back to the system.
_KEPT = 20 * 1024 * 1024


def keep_little() -> None:
    """Set glibc so that this process keeps little of what large bodies take; with another C library
    nothing happens.

    By default each thread has an arena of its own, and each keeps up to 64 MiB that are free.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    set_option(_ARENA_MAX, _ARENAS)
    set_option(_MMAP_THRESHOLD, _KEPT)
    set_option(_TRIM_THRESHOLD, _KEPT)
