"""The small service `legs` of tests/tiny_cards for real servers: it is read in a tenth of the time
that the project's own content takes.
"""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

from servers import FIXTURES, PROJECT

CONTENT = PROJECT / "tests" / "tiny_cards"
LEGS = {"CDS_CARDS_DIR": str(CONTENT)}
ADDRESS = "/cds-services/legs"
VERSION = "tiny-1"
# Somebody whom it tells of one critical card.
BODY = (FIXTURES / "requests" / "samuel-potassium-2-3.json").read_bytes()
ACTED_ON = {"reason": {"code": "seen-already"}}  # the override reason of its critical cards

_POLICY = """
suppression:
  - id: critical-seen
    slots: [finding]
    indicators: [critical]
    reasons: [seen-already]
    same: [user]
    identified: true
    leaves: being-addressed
    within: 24 hours
"""
_WORDS = """
# being-addressed

## info
Seen since {{ answered.at }}:
"""


def remembering(folder: Path) -> Path:
    """A copy of the content in `folder` that shows a line in place of a card that was acted on."""
    copy = copytree(CONTENT, folder)
    for path, text in (
        (copy / "legs" / "service.yaml", _POLICY),
        *((path, _WORDS) for path in copy.glob("legs/words/*/service.md")),
    ):
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    return copy
