"""What a look at a server finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_SKEW = 60  # seconds between two clocks, as for tokens


class Level(StrEnum):
    """How much a finding matters."""

    WELL = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; `about` is a prefetch key or a part, `mend` what to do."""

    level: Level
    about: str
    text: str
    mend: str = ""


def well(about: str, text: str) -> Finding:
    return Finding(Level.WELL, about, text)


def note(about: str, text: str, mend: str = "") -> Finding:
    return Finding(Level.NOTE, about, text, mend)


def fault(about: str, text: str, mend: str) -> Finding:
    return Finding(Level.FAULT, about, text, mend)
