"""The project's own content: a process loads it once, however many tests ask for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from pathlib import Path

from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.wire.hooks import TOKENS

CARDS = Path(__file__).parent.parent / "cards"


def load_once(
    folder: Path, *, hooks: Mapping[str, Collection[str]], thorough_on: date | None = None
) -> Knowledge:
    """What `load` gives, which is only asked again when a file of the folder has changed."""
    assert hooks is TOKENS
    folders = os.walk(folder, followlinks=True)
    files = [Path(parent, name) for parent, _, names in folders for name in names]
    state = frozenset((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return _loaded(folder, state, thorough_on)


@cache
def _loaded(folder: Path, _state: frozenset[object], thorough_on: date | None) -> Knowledge:
    return load(folder, hooks=TOKENS, thorough_on=thorough_on)


def own_service() -> CDSService:
    """The one service of cards/, for tests that ask for its rules before they run."""
    return load_once(CARDS, hooks=TOKENS).services["anxiety-leg-weakness"]
