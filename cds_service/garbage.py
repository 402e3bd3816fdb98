"""The garbage collector of Python: it does not look where there is no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """A block without collections, for work that leaves no garbage: imports, loading, large bodies.

    Looking for some takes a tenth of an import, and a quarter of a large body.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Whoever disables it enables it: with several threads it is never left disabled.
        gc.enable()
