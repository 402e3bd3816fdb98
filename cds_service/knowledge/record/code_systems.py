"""Which code system a coding means: records use several names for the common ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_LONGEST_NAME = 200
_PUNCTUATION = re.compile(r"[\s_-]+")
# The last part of an address that is on no list: the ICD-10 of some country, without procedures.
_SOME_ICD_10 = re.compile(r"(?:icd|cid|cim|cie)10(?!pcs|proc)")


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system by its own address, and other names of it.

    `kin` are names of systems whose codes have the same first `characters`.
    """

    address: str
    names: tuple[str, ...] = ()
    kin: tuple[str, ...] = ()
    characters: int | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """The system that a coding means.

    `characters` is how many characters of its codes are shared, None for all. `is_sure` is False if
    only the end of an unknown address says so: then a code that we do not find may still be one of
    ours.
    """

    address: str
    characters: int | None = None
    is_sure: bool = True


class CodeSystems:
    """The code systems that our value sets are written in, by every name."""

    def __init__(self, systems: Iterable[CodeSystem]) -> None:
        by_name: dict[str, Spoken] = {}
        words: dict[str, Spoken] = {}
        kin = None
        for system in systems:
            whole = Spoken(system.address)
            part = Spoken(system.address, system.characters)
            for names, spoken in (((system.address, *system.names), whole), (system.kin, part)):
                for name in names:
                    folded = _fold(name)
                    by_name[folded] = spoken
                    if "/" not in folded:
                        words[folded] = Spoken(spoken.address, spoken.characters, is_sure=False)
            if system.kin:
                kin = Spoken(system.address, system.characters, is_sure=False)
        self._by_name: Mapping[str, Spoken] = by_name
        self._words: Mapping[str, Spoken] = words
        self._kin = kin
        self._of = lru_cache(maxsize=1024)(self._find)

    def of(self, system: object) -> Spoken | None:
        """The system of this name, or None if we do not know it."""
        if not isinstance(system, str) or not system:
            return None
        return self._of(system[:_LONGEST_NAME])

    def _find(self, system: str) -> Spoken | None:
        name = _fold(system)
        known = self._by_name.get(name)
        if known is not None:
            return known
        above = name
        while "/" in above:  # the address of an edition begins with that of its system
            above = above.rpartition("/")[0]
            if above in self._by_name:
                return self._by_name[above]
        last = _PUNCTUATION.sub("", re.split("[/:]", name)[-1])
        if last in self._words:
            return self._words[last]
        return self._kin if _SOME_ICD_10.search(last) else None


def _fold(name: str) -> str:
    folded = name.strip().lower().partition("|")[0]
    for scheme in ("https://", "http://", "urn:oid:", "oid:"):
        folded = folded.removeprefix(scheme)
    folded = folded.rstrip("/ ")
    return folded if "/" in folded or ":" in folded else _PUNCTUATION.sub("", folded)
