"""Which value sets a CodeableConcept belongs to: by code first, by its words only then."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

SNOMED_CT = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"

# Other names under which real records carry the same code systems (FHIR R4, 4.3.0, and OIDs).
_ALIASES = {
    "urn:oid:2.16.840.1.113883.6.96": SNOMED_CT,
    "http://snomed.info/sct/": SNOMED_CT,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.73": ATC,
    "http://www.whocc.no/atc/": ATC,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "https://loinc.org": LOINC,
    "http://loinc.org/": LOINC,
    "urn:oid:2.16.840.1.113883.6.90": ICD_10_CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD_10,
}
# In these systems a code also belongs to a set that names one of its headings.
HIERARCHICAL = {ICD_10_CM: 3, ICD_10: 3, ATC: 3}
_WORD = re.compile(r"[^\W_]+")
_UNSPACED_CLAUSE = re.compile(r"[。，；：、（）]")
_CLAUSE = re.compile(r"[.;:,()\[\]\n]")


@dataclass(frozen=True, slots=True)
class Match:
    """The value sets of one concept, and whether only its words told so.

    `codes` are the sets found by code, `words` those found by text alone; `recognised` is whether
    a code came in a system that our value sets speak, so that no match means "something else".
    """

    codes: frozenset[str]
    words: frozenset[str]
    recognised: bool


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words that stand in records for one value set, and those that forbid the match."""

    match: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negation:
    """Phrases before a match that turn it around, and how many words back they reach.

    `before` also holds "family history" and "risk of": not this patient, not yet. What stands
    after one of `past` ("history of") is over, and belongs to the set `past:<id>` instead.
    """

    before: tuple[str, ...]
    window: int
    past: tuple[str, ...] = ()


class Terminology:
    """Every value set at once: a dictionary lookup a coding, whatever the number of sets.

    `codes` maps a code system to its codes and those to the value sets that hold them; ICD codes
    come without their dot.
    """

    def __init__(
        self,
        codes: Mapping[str, Mapping[str, frozenset[str]]],
        phrases: Mapping[str, Phrases],
        negation: Negation,
    ) -> None:
        self._codes = codes
        self._forbidding = {
            set_id: [_Forbidden.of(phrase) for phrase in each.unless]
            for set_id, each in phrases.items()
        }
        self._negation = negation
        self._negating = _by_first_word(negation.before)
        self._past = _by_first_word(negation.past)
        self._negating_unspaced = [each for each in negation.before if _is_unspaced(each)]
        self._past_unspaced = [each for each in negation.past if _is_unspaced(each)]
        self._by_first_word: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._unspaced: list[tuple[str, str]] = []
        for set_id, phrase in ((i, p) for i, each in phrases.items() for p in each.match):
            words = tuple(normalise(phrase).split())
            if _is_unspaced(phrase):
                self._unspaced.append((phrase, set_id))
            else:
                first = words[0].rstrip("*")
                self._by_first_word.setdefault(first, []).append((words, set_id))
        # Displays repeat from call to call; the bound keeps the memory of it small.
        self._sets_of_text = lru_cache(maxsize=4096)(self._read_text)

    def match(self, concept: object, *, with_words: bool = True) -> Match:
        """The value sets of a CodeableConcept; a shape that is none matches nothing."""
        if not isinstance(concept, dict):
            return _NOTHING
        found: set[str] = set()
        recognised = False
        codings = concept.get("coding")
        texts = [concept.get("text")]
        for coding in codings if isinstance(codings, list) else ():
            if not isinstance(coding, dict):
                continue
            texts.append(coding.get("display"))
            codes = self._codes.get(canonical(coding.get("system")))
            code = coding.get("code")
            if codes is not None and isinstance(code, str) and code:
                recognised = True
                found.update(self._sets(coding["system"], code, codes))
        if not with_words or (
            found and not any(set_id.endswith("-nonspecific") for set_id in found)
        ):
            return (
                Match(frozenset(found), frozenset(), recognised)
                if found
                else _RECOGNISED[recognised]
            )
        by_words: set[str] = set()
        for text in texts:
            if isinstance(text, str) and text:
                by_words.update(self._sets_of_text(text[:300]))
        return Match(frozenset(found), frozenset(by_words - found), recognised)

    def _sets(self, system: str, code: str, codes: Mapping[str, frozenset[str]]) -> Iterable[str]:
        shortest = HIERARCHICAL.get(canonical(system))
        code = code.strip()
        if shortest is None:
            return codes.get(code, ())
        code = code.upper().replace(".", "")
        found: set[str] = set()
        for length in range(shortest, len(code) + 1):
            found.update(codes.get(code[:length], ()))
        return found

    def _read_text(self, text: str) -> frozenset[str]:
        """The value sets whose phrases stand in the text, unless negated or forbidden."""
        found: set[tuple[str, bool]] = set()
        for clause in _CLAUSE.split(text):
            words = tuple(normalise(clause).split())
            for start, word in enumerate(words):
                for phrase, set_id in self._candidates(word):
                    if _stands_at(phrase, words, start) and not self._follows(
                        self._negating, words, start
                    ):
                        found.add((set_id, self._follows(self._past, words, start)))
        if not text.isascii():
            found.update(self._unspaced_in(text))
        if not found:
            return frozenset()
        whole = normalise(text).split()
        return frozenset(
            f"past:{set_id}" if is_past else set_id
            for set_id, is_past in found
            if not any(each.stands_in(text, whole) for each in self._forbidding[set_id])
        )

    def _unspaced_in(self, text: str) -> Iterable[tuple[str, bool]]:
        """The sets of phrases in a script without blanks; words before them turn them around."""
        for phrase, set_id in self._unspaced:
            at = text.find(phrase)
            if at < 0:
                continue
            before = _UNSPACED_CLAUSE.split(text[max(0, at - self._negation.window) : at])[-1]
            if not any(each in before for each in self._negating_unspaced):
                yield set_id, any(each in before for each in self._past_unspaced)

    def _candidates(self, word: str) -> Iterable[tuple[tuple[str, ...], str]]:
        yield from self._by_first_word.get(word, ())
        for length in range(3, len(word)):  # "weak*" is filed under "weak"
            for phrase, set_id in self._by_first_word.get(word[:length], ()):
                if phrase[0].endswith("*"):
                    yield phrase, set_id

    def _follows(
        self, phrases: Mapping[str, list[tuple[str, ...]]], words: tuple[str, ...], start: int
    ) -> bool:
        """Whether one of the phrases stands in the window before a word."""
        before = words[max(0, start - self._negation.window) : start]
        return any(
            _stands_at(phrase, before, at)
            for at, word in enumerate(before)
            for phrase in phrases.get(word, ())
        )


_NOTHING = Match(frozenset(), frozenset(), False)
_RECOGNISED = (_NOTHING, Match(frozenset(), frozenset(), True))


def canonical(system: object) -> str:
    """The code system's own address for any of its known names; other addresses stay."""
    if not isinstance(system, str):
        return ""
    if system.startswith("http://snomed.info/sct"):  # also an edition or a version of it
        return SNOMED_CT
    return _ALIASES.get(system, system)


def normalise(text: str) -> str:
    """Lower-case words without accents, separated by one blank; a final `*` of a word stays."""
    folded = unicodedata.normalize("NFKD", text) if not text.isascii() else text
    folded = "".join(c for c in folded if not unicodedata.combining(c)).lower()
    folded = folded.replace("'", "").replace("\u200b", "")
    return " ".join(
        word.group() + ("*" if folded[word.end() : word.end() + 1] == "*" else "")
        for word in _WORD.finditer(folded)
    )


def _stands_at(phrase: tuple[str, ...], words: tuple[str, ...] | list[str], start: int) -> bool:
    if start + len(phrase) > len(words):
        return False
    return all(
        word.startswith(expected[:-1]) if expected.endswith("*") else word == expected
        for expected, word in zip(phrase, words[start:], strict=False)
    )


@dataclass(frozen=True, slots=True)
class _Forbidden:
    """A phrase that keeps a value set from matching, wherever it stands in the text."""

    words: tuple[str, ...]
    unspaced: str | None

    @classmethod
    def of(cls, phrase: str) -> _Forbidden:
        unspaced = phrase.rstrip("*") if _is_unspaced(phrase) else None
        return cls(tuple(normalise(phrase).split()), unspaced)

    def stands_in(self, text: str, words: list[str]) -> bool:
        if self.unspaced is not None:
            return self.unspaced in text
        return any(_stands_at(self.words, words, start) for start in range(len(words)))


def _by_first_word(phrases: Iterable[str]) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in phrases:
        words = tuple(normalise(phrase).split())
        found.setdefault(words[0], []).append(words)
    return found


def _is_unspaced(phrase: str) -> bool:
    """Whether the phrase is written in a script that does not separate words (Chinese)."""
    return any("\u4e00" <= character <= "\u9fff" for character in phrase)
