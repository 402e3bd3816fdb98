"""What stands around the knowledge on its pages, such as headings, in the languages of the reader.

Clinical words stand in cards/; labels.yaml has one line for each label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cds_service.catalogue.document import Line, Run
from cds_service.knowledge.loading.strict_yaml import read_yaml

LANGUAGES = ("en", "es", "zh-Hans")
_FILE = Path(__file__).parent / "labels.yaml"
_GAP = re.compile(r"\{(\w+)\}")


class Labels:
    """The labels in one language; one that has none gets English."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._texts = _labels()[self.language]

    def has(self, label: str) -> bool:
        """Whether there is such a label."""
        return label in self._texts

    def say(self, label: str, **gaps: object) -> str:
        """The label, with its gaps filled."""
        return self._texts[label].format(**gaps) if gaps else self._texts[label]

    def line(self, label: str, **gaps: str | Run | Line) -> Line:
        """The label as a line, in which links may stand in its gaps."""
        runs: list[str | Run] = []
        for number, piece in enumerate(_GAP.split(self._texts[label])):
            gap = gaps[piece] if number % 2 else piece
            runs += gap if isinstance(gap, tuple) else (gap,) if gap else ()
        return tuple(runs)


@cache
def _labels() -> Mapping[str, Mapping[str, str]]:
    """The labels by language."""
    entries = read_yaml(_FILE)
    return {
        language: {label: str(texts[language]) for label, texts in entries.items()}
        for language in LANGUAGES
    }
