"""The project's own content: a process loads it once, however many tests ask for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.knowledge.loading.guard_files import GuardsSchema
from cds_service.knowledge.loading.library import load_library
from cds_service.knowledge.loading.prescriptions import PrescriptionReader
from cds_service.knowledge.loading.problems import Problems
from cds_service.wire.hooks import TOKENS

CARDS = Path(__file__).parent.parent / "cards"


def texts_in(value: Any) -> Iterator[str]:
    """Every text in what a JSON or YAML file holds, but for the names of members."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, str):
        yield value


def load_once(
    folder: Path, *, hooks: Mapping[str, Collection[str]], thorough_on: date | None = None
) -> Knowledge:
    """What `load` gives, which is only asked again when a file of the folder has changed.

    A copy of the folder is the same content: knowledge does not say where it was loaded from.
    """
    assert hooks is TOKENS
    state = frozenset(_state(str(folder)) if folder.is_dir() else ())
    if (state, thorough_on) not in _loaded:
        _loaded[state, thorough_on] = load(folder, hooks=TOKENS, thorough_on=thorough_on)
    return _loaded[state, thorough_on]


def _state(folder: str, below: str = "") -> Iterator[tuple[str, int, int]]:
    """Each file of a folder, with when it was changed and how long it is."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _state(entry.path, f"{below}{entry.name}/")
            else:
                status = entry.stat()
                yield f"{below}{entry.name}", status.st_mtime_ns, status.st_size


_loaded: dict[tuple[frozenset[object], date | None], Knowledge] = {}


@cache
def own_reader() -> PrescriptionReader:
    """What reads texts for doses and orders, with the word lists of cards/."""
    problems = Problems(CARDS)
    library = load_library(CARDS, problems)
    path = CARDS / "guards.yaml"
    guards = problems.load(GuardsSchema(), path, problems.read(path))
    assert problems.found == []
    return PrescriptionReader(guards, own_service(), library.phrases)


def own_service() -> CDSService:
    """The one service of cards/, for tests that ask for its rules before they run."""
    return load_once(CARDS, hooks=TOKENS).services["anxiety-leg-weakness"]
