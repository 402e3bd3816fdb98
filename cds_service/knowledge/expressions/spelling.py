"""What somebody may have meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_FEW = 12


def like(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the names that are like it."""
    found = get_close_matches(str(name), sorted(map(str, known)), n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def meant(name: str, known: Iterable[str]) -> str:
    """The same, or all names that can be meant if they are few."""
    names = sorted(map(str, known))
    found = like(name, names)
    if found:
        return found
    return f"; allowed: {', '.join(names)}" if len(names) <= _FEW else ""
