"""The garbage collector of Python: it does not look where there is no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Imports and loading make only what stays, and looking for garbage takes a tenth of them."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Whoever disables it enables it: with several threads it is never left disabled.
        gc.enable()
