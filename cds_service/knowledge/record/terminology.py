"""Which value sets a CodeableConcept belongs to: by its codes first, then by its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache

from cds_service.knowledge.record.code_systems import CodeSystems
from cds_service.knowledge.record.named_results import NamedResults
from cds_service.knowledge.record.negation import Negation
from cds_service.knowledge.record.phrases import Phrases, TextReader

SNOMED_CT = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"

# In these systems a code also belongs to a set that names one of its headings.
HIERARCHICAL = frozenset({ICD_10_CM, ICD_10, ATC})
_LONGEST_CODE = 100
_LONGEST_KNOWN = 200  # the longest concept that is remembered, in characters
_NO_CODE_CHARACTER = re.compile(r"[^A-Z0-9]+")
# The concepts of a SNOMED CT expression before its refinement: "192970008 |Cauda equina|:...".
_FOCUS = re.compile(r"(\d{6,18})\s*(?:\|[^|]*\|)?\s*(?:\+|$)")

Said = tuple[str, ...]  # the text of a concept; system, code and display of each coding


@dataclass(frozen=True, slots=True)
class Match:
    """The value sets of one concept, and whether only its words say so.

    `codes` are the sets found by code, `words` those found by text alone, `denied` those that its
    text names and denies, `barred` those that it names but with another meaning; `recognised` are
    its code systems that our value sets use, so that no match means "something else".
    """

    codes: frozenset[str]
    words: frozenset[str]
    recognised: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


class Terminology:
    """Every value set at once: one dictionary lookup for each coding.

    `codes` maps a code system to its codes and those to the value sets that hold them; ICD and ATC
    codes are in the form that `bare` returns.
    """

    def __init__(
        self,
        codes: Mapping[str, Mapping[str, frozenset[str]]],
        phrases: Mapping[str, Phrases],
        negation: Negation,
        systems: CodeSystems,
        results: NamedResults | None = None,
    ) -> None:
        self._codes, self._systems = codes, systems
        self.results = results or NamedResults()
        self._lengths = {
            system: tuple(sorted({len(code) for code in codes.get(system, ())}))
            for system in HIERARCHICAL
        }
        self._reader = TextReader(phrases, negation)
        self._see(None)

    def for_kinds(self, sets_of: Mapping[str, frozenset[str]]) -> Terminology:
        """The same value sets, but each kind of resource is matched only against its own.

        A code in a value set for another kind, such as a medicine in a list of problems, says
        nothing about the resource, and must not prevent its words from being read.
        """
        own = {set_ids: self._seeing(set_ids) for set_ids in sets_of.values()}
        whole = self._seeing(None)
        whole._of_kind = {kind: own[set_ids] for kind, set_ids in sets_of.items()}
        return whole

    def _seeing(self, set_ids: frozenset[str] | None) -> Terminology:
        """The same codes and phrases, but what is found is only in these value sets."""
        narrowed = copy(self)
        narrowed._see(set_ids)
        return narrowed

    def _see(self, set_ids: frozenset[str] | None) -> None:
        self._own = set_ids  # None: all of them
        self._of_kind: dict[str, Terminology] = {}
        self._reader = self._reader.seeing(set_ids)
        # Charts repeat the same concepts; the limits keep memory small.
        self._known = lru_cache(maxsize=1024)(self._find)

    def match(self, concept: object, kind: str | None = None, *, with_words: bool = True) -> Match:
        """The value sets of a CodeableConcept of a kind of resource; of any kind without one.

        Anything that is not a CodeableConcept matches nothing.
        """
        if not isinstance(concept, dict):
            return NOTHING
        own = self if kind is None else self._of_kind.get(kind, self)
        said = _said_by(concept, with_words)
        return (own._known if sum(map(len, said)) <= _LONGEST_KNOWN else own._find)(said)

    def _find(self, said: Said) -> Match:
        found: set[str] = set()
        recognised: set[str] = set()
        texts = [said[0]]
        for system, code, display in zip(said[1::3], said[2::3], said[3::3], strict=True):
            texts.append(display)
            sets, known = self._read_code(system, code)
            found |= sets
            recognised.update(known)
        by_words: set[str] = set()
        denied: set[str] = set()
        barred: set[str] = set()
        for text in filter(None, texts):
            reading = self._reader.read(text)
            by_words |= reading.found
            denied |= reading.denied
            barred |= reading.barred
        if found and not any(set_id.endswith("-nonspecific") for set_id in found):
            by_words.clear()
        return Match(
            frozenset(found),
            frozenset(by_words - found),
            frozenset(recognised),
            frozenset(denied),
            frozenset(barred),
        )

    def _read_code(self, name: str, code: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """The value sets with a code; and its system, if its other codes mean something else."""
        spoken, code = self._systems.of(name), code[:_LONGEST_CODE].strip()
        if spoken is None or not code:
            return _NO_SETS, ()
        system = spoken.address
        codes = self._codes.get(system, {})
        recognised = (system,) if spoken.is_sure and system in self._codes else ()
        if system in HIERARCHICAL:
            code = bare(code)[: spoken.characters]
            headings = [codes.get(code[:length], _NO_SETS) for length in self._lengths[system]]
            return self._seen(_NO_SETS.union(*headings)), recognised
        sets = self._seen(codes.get(code, _NO_SETS))
        if not sets and system == SNOMED_CT and not code.isdigit():
            focus = _FOCUS.findall(code.partition(":")[0])
            # We do not understand the rest of an expression.
            focused = (codes.get(code, _NO_SETS) for code in focus)
            return self._seen(_NO_SETS.union(*focused)), ()
        return sets, recognised

    def _seen(self, sets: frozenset[str]) -> frozenset[str]:
        return sets if self._own is None else sets & self._own


def _said_by(concept: Mapping[str, object], with_words: bool) -> Said:
    """The parts of a concept that decide its value sets; "" for what is not a text."""
    said = [concept.get("text") if with_words else ""]
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            display = coding.get("display") if with_words else ""
            said += coding.get("system"), coding.get("code"), display
    return tuple([part if part.__class__ is str else _as_text(part) for part in said])


def _as_text(part: object) -> str:
    """A code that was sent as a number is still a code."""
    return str(part) if isinstance(part, int) and not isinstance(part, bool) else ""


def bare(code: str) -> str:
    """An ICD or ATC code in capitals, without dot, dagger, asterisk and blanks."""
    return _NO_CODE_CHARACTER.sub("", code.upper())


_NO_SETS: frozenset[str] = frozenset()
NOTHING = Match(_NO_SETS, _NO_SETS)


def with_past(value_sets: tuple[str, ...]) -> tuple[str, ...]:
    """The value sets, and the same as past: "history of falls"."""
    return (*value_sets, *(f"past:{set_id}" for set_id in value_sets))
