"""Which value sets a CodeableConcept belongs to: by code first, by its words only then."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cds_service.knowledge.record.code_systems import CodeSystems, Spoken
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
_NO_CODE_CHARACTER = re.compile(r"[^A-Z0-9]+")
# The concepts of a SNOMED CT expression before its refinement: "192970008 |Cauda equina|:...".
_FOCUS = re.compile(r"(\d{6,18})\s*(?:\|[^|]*\|)?\s*(?:\+|$)")


@dataclass(frozen=True, slots=True)
class Match:
    """The value sets of one concept, and whether only its words told so.

    `codes` are the sets found by code, `words` those found by text alone, `denied` those that its
    text names and denies, `barred` those that it names and means something else; `recognised` are
    the systems that our value sets speak in which a code came, so that no match means "something
    else".
    """

    codes: frozenset[str]
    words: frozenset[str]
    recognised: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


class Terminology:
    """Every value set at once: a dictionary lookup a coding, whatever the number of sets.

    `codes` maps a code system to its codes and those to the value sets that hold them; ICD and ATC
    codes come as `bare` gives them.
    """

    def __init__(
        self,
        codes: Mapping[str, Mapping[str, frozenset[str]]],
        phrases: Mapping[str, Phrases],
        negation: Negation,
        systems: CodeSystems,
    ) -> None:
        self._codes, self._phrases = codes, phrases
        self._negation, self._systems = negation, systems
        self._lengths = {
            system: tuple(sorted({len(code) for code in codes.get(system, ())}))
            for system in HIERARCHICAL
        }
        self._reader = TextReader(phrases, negation)
        self._of_kind: dict[str, Terminology] = {}
        # Charts repeat the same codes; the bound keeps the memory of it small.
        self._of_code = lru_cache(maxsize=4096)(self._find_code)

    def for_kinds(self, sets_of: Mapping[str, frozenset[str]]) -> Terminology:
        """The same value sets, of which each kind of resource is matched against its own only.

        A medicine is ordered, a problem is had: a code of a value set of another kind says nothing
        of the resource and must not keep its words from being read.
        """
        whole = Terminology(self._codes, self._phrases, self._negation, self._systems)
        for kind, set_ids in sets_of.items():
            codes = {
                system: {code: own for code, sets in listed.items() if (own := sets & set_ids)}
                for system, listed in self._codes.items()
            }
            phrases = {id_: self._phrases[id_] for id_ in self._phrases if id_ in set_ids}
            whole._of_kind[kind] = Terminology(codes, phrases, self._negation, self._systems)
        return whole

    def match(self, concept: object, kind: str | None = None, *, with_words: bool = True) -> Match:
        """The value sets of a CodeableConcept of a kind of resource; of any kind without one.

        A shape that is no CodeableConcept matches nothing.
        """
        own = self._of_kind.get(kind) if kind is not None else None
        if own is not None:
            return own.match(concept, with_words=with_words)
        if not isinstance(concept, dict):
            return _NOTHING
        found: set[str] = set()
        recognised: set[str] = set()
        codings = concept.get("coding")
        texts = [concept.get("text")]
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict):
                texts.append(coding.get("display"))
                sets, system = self._read_coding(coding)
                found |= sets
                if system:
                    recognised.add(system)
        if not with_words:
            return Match(frozenset(found), frozenset(), frozenset(recognised))
        by_words: set[str] = set()
        denied: set[str] = set()
        barred: set[str] = set()
        for text in texts:
            if isinstance(text, str) and text:
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

    def _read_coding(self, coding: Mapping[str, object]) -> tuple[frozenset[str], str | None]:
        """The value sets that hold a code; its system, if another code were something else."""
        code = coding.get("code")
        spoken = self._systems.of(coding.get("system"))
        if isinstance(code, int) and not isinstance(code, bool):
            code = str(code)
        if spoken is None or not isinstance(code, str):
            return _NO_SETS, None
        return self._of_code(spoken, code[:_LONGEST_CODE])

    def _find_code(self, spoken: Spoken, code: str) -> tuple[frozenset[str], str | None]:
        code, system = code.strip(), spoken.address
        if not code:
            return _NO_SETS, None
        codes = self._codes.get(system, {})
        recognised = system if spoken.is_sure and system in self._codes else None
        if system in HIERARCHICAL:
            code = bare(code)[: spoken.characters]
            headings = [codes.get(code[:length], _NO_SETS) for length in self._lengths[system]]
            return _NO_SETS.union(*headings), recognised
        sets = codes.get(code)
        if sets is None and system == SNOMED_CT and not code.isdigit():
            focus = _FOCUS.findall(code.partition(":")[0])
            # What an expression adds is not understood.
            return _NO_SETS.union(*(codes.get(each, _NO_SETS) for each in focus)), None
        return sets or _NO_SETS, recognised


def content_of(concept: object) -> Hashable:
    """What of a concept decides its value sets; None where its shape is none of a concept."""
    if not isinstance(concept, dict):
        return None
    text, codings = concept.get("text"), concept.get("coding", ())
    try:
        content = (text, *[_content_of_coding(coding) for coding in codings])
        hash(content)
    except (TypeError, AttributeError):
        return None
    return content


def _content_of_coding(coding: Mapping[str, object]) -> Hashable:
    code = coding.get("code")
    # For Python 1 is True, for a code it is not.
    code = code if code is None or code.__class__ is str else (code.__class__, code)
    return coding.get("system"), code, coding.get("display")


def bare(code: str) -> str:
    """An ICD or ATC code in capitals without dot, dagger, asterisk and blanks."""
    return _NO_CODE_CHARACTER.sub("", code.upper())


_NO_SETS: frozenset[str] = frozenset()
_NOTHING = Match(_NO_SETS, _NO_SETS)


def with_past(value_sets: tuple[str, ...]) -> tuple[str, ...]:
    """The value sets, and what the words call past of them: "history of falls"."""
    return (*value_sets, *(f"past:{each}" for each in value_sets))
