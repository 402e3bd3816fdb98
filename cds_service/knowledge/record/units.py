"""One spelling for each unit, whatever a record calls it: by rules and a table of words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

_LONGEST_UNIT = 60
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[^\W\d_]+\d*")
# IU, [IU], UI and IE are the same unit; mcg and mcU begin with "micro".
_INTERNATIONAL = re.compile(r"(?<![a-z])([mukn]?)(?:iu|ui|ie)(?![a-z])")
_MICRO = re.compile(r"(?<![a-z])mc(?=(?:g|i?u|mol|l)(?![a-z]))")
_DECILITRE = re.compile(r"100ml(?![a-z])|(?<=g)/?%$")  # mg/100 mL, mg%: both are mg/dL
_LEFT_OUT = str.maketrans("", "", " \t\n_[]()^*.,\u00b0\u00b7'\"")


class Units:
    """How units are spelled: `words` turns a word into a symbol, or into nothing."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = {word.lower(): symbol for word, symbol in words.items()}
        self.fold = lru_cache(maxsize=1024)(self._fold)

    def counts_nothing(self, folded: str) -> bool:
        """Whether a folded unit is none: a score, UCUM's 1, an annotation alone, or nothing."""
        return folded in ("", "1")

    def _fold(self, unit: str) -> str:
        """The unit without case, annotations and punctuation; an absurdly long one is unchanged.

        UCUM tells milli from mega by case alone; no laboratory reports in mega.
        """
        if len(unit) > _LONGEST_UNIT:
            return unit
        text = unicodedata.normalize("NFKC", unit).replace("\u03bc", "u").lower()
        # "{1.73_m2}" is a part of its unit; an annotation without digits says what was counted.
        text = _ANNOTATION.sub(lambda found: found[0] if re.search(r"\d", found[0]) else " ", text)
        text = text.replace("{", "").replace("}", "")
        text = _WORD.sub(lambda found: self._words.get(found[0], found[0]), text)
        text = text.translate(_LEFT_OUT)
        text = _INTERNATIONAL.sub(r"\1u", _MICRO.sub("u", text))
        text = _DECILITRE.sub(lambda found: "dl" if found[0] == "100ml" else "/dl", text)
        return text.removeprefix("1") if text.startswith("1/") else text
