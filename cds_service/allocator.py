"""The allocator of the C library: the memory of a large body goes back to the system after it."""

from __future__ import annotations

import ctypes

# malloc.h of glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGE = 1024 * 1024  # bytes; a smaller block is taken from what the process has already
_ARENAS = 2  # threads seldom wait for each other here: Python runs one at a time


def give_back_memory() -> None:
    """Set glibc so for this process; another C library stays as it is.

    By default glibc learns from the first large block to keep such blocks, up to 32 MiB, and it
    does so for several threads at once. A worker then keeps what its largest bodies ever took.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for option, value in (
        (_TRIM_THRESHOLD, _LARGE),
        (_MMAP_THRESHOLD, _LARGE),
        (_ARENA_MAX, _ARENAS),
    ):
        set_option(option, value)
