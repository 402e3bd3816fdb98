"""The differences as an HTML page that stands alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from cds_service.authoring.differences import Difference
from cds_service.html.standalone import rendered
from cds_service.knowledge.comparison import APPEARS, CHANGES, VANISHES

_WORD = re.compile(r"\S+\s*|\s+")


def page(titles: tuple[str, str], found: Sequence[Difference], patients: int, *, today: str) -> str:
    """The page about two versions, by their titles: each card of each patient that differs."""
    changes = [change for each in found for change in each.changes]
    counts = {
        kind: sum(change.change == kind for change in changes)
        for kind in (APPEARS, VANISHES, CHANGES)
    }
    said = {
        "old": titles[0],
        "new": titles[1],
        "found": found,
        "patients": patients,
        "changed": len({each.patient for each in found if each.changes}),
        "not_compared": [each for each in found if each.trouble],
        "counts": counts,
        "today": today,
        "pieces": pieces,
    }
    return rendered("authoring", "differences.html", said)


def pieces(before: str, after: str) -> list[tuple[str, str]]:
    """Two texts as one, word by word: ("same", …), ("del", …) taken out and ("ins", …) put in."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    found = []
    for _, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if old[i:j] == new[k:m]:
            found.append(("same", "".join(old[i:j])))
        else:
            found += [("del", "".join(old[i:j])), ("ins", "".join(new[k:m]))]
    return [(kind, text) for kind, text in found if text]
