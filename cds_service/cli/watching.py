"""Waiting: for changes of a folder, and for what takes more than a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

_SECONDS = 0.3


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Shows on a terminal that something is being done; it goes away with the end of the block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{text} …"):
        yield


def changes(folder: Path) -> Iterator[None]:
    """Once now, and again after each change of a file; it ends with KeyboardInterrupt only."""
    seen = None
    while True:
        state = _state(folder)
        if state != seen:
            seen = state
            yield
        time.sleep(_SECONDS)


def _state(folder: Path) -> frozenset[tuple[Path, int, int]]:
    found = set()
    for path in folder.rglob("*"):
        try:
            about = path.stat()
        except OSError:  # an editor has just replaced it
            continue
        found.add((path, about.st_mtime_ns, about.st_size))
    return frozenset(found)
