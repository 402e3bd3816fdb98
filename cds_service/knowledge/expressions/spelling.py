"""What somebody may have meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_FEW = 12


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the names like it, or all if they are few."""
    names = sorted(map(str, known))
    like = get_close_matches(str(name), names, n=3, cutoff=0.7)
    if like:
        return f"; did you mean {' or '.join(like)}?"
    return f"; allowed: {', '.join(names)}" if len(names) <= _FEW else ""
