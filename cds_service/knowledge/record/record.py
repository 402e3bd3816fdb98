"""One patient's record: read once, indexed by value set, nothing copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial

from cds_service.knowledge.call import Call, Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import (
    CODED_PARTS,
    concepts_of_medication,
    concerns_no_medicine,
    content_unlike,
    ids_of_patient,
    is_understood,
    may_be_in_force,
    medication_concepts,
    says_nothing,
    substances_of,
)
from cds_service.knowledge.record.lists import OTHER_PATIENT, OTHER_VERSION, UNREADABLE, Lists
from cds_service.knowledge.record.repairs import concept_of, repaired, repaired_part
from cds_service.knowledge.record.statements import Judgement, Statement
from cds_service.knowledge.record.statuses import Statuses
from cds_service.knowledge.record.terminology import NOTHING, Match, Terminology

Key = tuple[str, str]  # a kind and a value set, as the record is indexed
_Matched = tuple[object, tuple[str, bool], tuple[Resource, Match]]

# There are too many similar words for tests and scores to know which one was meant.
_BY_CODE_ONLY = frozenset({"Observation", "QuestionnaireResponse", "ServiceRequest"})
# FHIR DSTU2 and STU3 names of resources that we read.
_FORMER_TYPES = frozenset({"MedicationOrder", "DiagnosticOrder", "MedicationPrescription"})


class PatientRecord(Lists):
    """The resources of one call: an index from (kind, value set) to statements.

    Kinds are the FHIR resource types. Statements that are about another patient, were entered in
    error, or have the form of another FHIR version are set aside and counted, never read.
    """

    def __init__(
        self, call: Call, terminology: Terminology, statuses: Statuses, lists: Mapping[str, str]
    ) -> None:
        super().__init__(call.retrieved.states, lists)
        self.now: datetime = call.now
        self.patient_id = call.patient_id
        self._patient_ids = {call.patient_id}
        self.user_type = call.user_id.partition("/")[0]
        self.patient: Resource | None = None
        self.statuses = statuses
        self._terminology = terminology
        self._index: dict[Key, list[Statement]] = {}
        self._present: dict[str, set[str]] = {}
        self._judgements: dict[int, Judgement] = {}
        self._matched = _NO_MATCH
        self._medicines: dict[tuple[str, int], list[Resource]] = {}
        self._read(call.retrieved.resources)

    @property
    def keys(self) -> Iterable[Key]:
        """The kinds and value sets for which the record has something."""
        return self._index.keys()

    def statements(self, kind: str, value_sets: Iterable[str]) -> list[Statement]:
        """The statements of a kind in any of the value sets, each resource part once."""
        present = self._present.get(kind)
        if present is None or present.isdisjoint(value_sets):
            return []
        found: dict[int, Statement] = {}
        for value_set in value_sets:
            for statement in self._index.get((kind, value_set), ()):
                known = found.get(statement.place)
                if (
                    known is None
                    or (known.is_weak and not statement.is_weak)
                    or (known.is_past and not statement.is_past)
                ):
                    found[statement.place] = statement
        return list(found.values())

    def count_future(self, kinds: Iterable[str]) -> int:
        """How many matched resources of these kinds are dated after now, and so are ignored."""
        return sum(self._future[kind] for kind in kinds) if self._future else 0

    @cached_property
    def _future(self) -> Counter[str]:
        judgements = {
            id(statement.judgement): statement.judgement.written
            for statements in self._index.values()
            for statement in statements
        }
        return Counter(
            resource["resourceType"]
            for resource in judgements.values()
            if self._is_future(resource)
        )

    def _is_future(self, resource: Resource) -> bool:
        span = dates.read(resource.get("effectiveDateTime", resource.get("authoredOn")))
        return span is not None and span.is_future(self.now)

    def words(self, concept: object) -> frozenset[str]:
        """The value sets that the words of a concept name, whatever its codes say."""
        match = self._terminology.match(concept)
        return match.words | match.codes

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, resources: Sequence[Resource]) -> None:
        medications: dict[str, Resource] = {}
        orders: list[Resource] = []
        # First the patient: links say which other ids are the same person's.
        for resource in resources:
            if resource.get("resourceType") == "Patient":
                self._read_patient(resource)
        for resource in self._each_once(resources):
            kind = resource.get("resourceType")
            match kind:
                case "Condition" | "AllergyIntolerance":
                    self._read_coded(kind, resource, resource.get("code"))
                case "MedicationRequest" | "MedicationStatement":
                    orders.append(resource)
                case "Medication":
                    medications[str(resource.get("id"))] = resource
                case str() if kind in CODED_PARTS:
                    with_words = kind not in _BY_CODE_ONLY
                    for element, concept in CODED_PARTS[kind](resource):
                        part = None if element is resource else element
                        known = self._add(kind, resource, concept, part, with_words=with_words)
                        if known is _UNKNOWN and kind == "Observation":
                            self._add_named(resource, element)
                case str() if kind in _FORMER_TYPES:
                    self.set_aside(resource, OTHER_VERSION, kind="MedicationRequest")
        for order in orders:
            self._read_order(order, medications)

    def _each_once(self, resources: Sequence[Resource]) -> Iterable[Resource]:
        """The same resource under two prefetch keys counts once.

        Two different ones of one type and id, as in a Bundle merged from two sources, are both
        read: nobody can tell which one is right, or whether they mean the same thing.
        """
        first: dict[tuple[object, str], Resource] = {}
        others: dict[tuple[object, str], set[str]] = {}
        for resource in resources:
            identifier = resource.get("id")
            key = (resource.get("resourceType"), str(identifier))
            if isinstance(identifier, str) and key in first:
                content = content_unlike(first[key], resource)
                if content is None or content in others.setdefault(key, set()):
                    continue
                others[key].add(content)
                self.share_an_id(resource)
            elif isinstance(identifier, str):
                first[key] = resource
            yield resource

    def _read_patient(self, resource: Resource) -> None:
        if self.patient is None and resource.get("id") in (self.patient_id, None):
            self.patient = repaired(resource)
            self._patient_ids.update(ids_of_patient(self.patient))

    def _read_coded(self, kind: str, resource: Resource, concept: object) -> None:
        # DSTU2 and STU3 have these statuses as plain strings; DSTU2 has `patient` for the subject.
        if isinstance(resource.get("clinicalStatus"), str) or "dateRecorded" in resource:
            self.set_aside(resource, OTHER_VERSION)
        concept = concept_of(concept)
        concepts = [concept] if isinstance(concept, dict) and not says_nothing(concept) else []
        if kind == "AllergyIntolerance":
            concepts.extend(substances_of(self._judgement(resource).resource))
        if not concepts:
            self.set_aside(resource, UNREADABLE)
            return
        known = [self._add(kind, resource, concept) is not _UNKNOWN for concept in concepts]
        if kind == "Condition":
            known.append(self._read_allergy_of(resource, concepts[0]))
        if any(known):
            return
        read = self._judgement(resource).resource
        is_harmless = self.statuses.is_over if kind == "Condition" else concerns_no_medicine
        if not is_harmless(read):
            self.set_aside(read, UNREADABLE, *concepts)

    def _read_allergy_of(self, problem: Resource, concept: Resource) -> bool:
        """Whether a problem is an allergy: by its code, or by words that call it so."""
        kind = "AllergyIntolerance"
        with_words = _ALLERGY in self._match("Condition", concept)[1].words
        named = self._match(kind, concept, with_words)[1]
        is_one = bool(named.codes or named.words)
        return is_one and bool(self._add(kind, problem, concept, with_words=with_words))

    def _read_order(self, order: Resource, medications: dict[str, Resource]) -> None:
        kind = order["resourceType"]
        if "medication" in order:  # FHIR R5's CodeableReference
            self.set_aside(order, OTHER_VERSION)
            return
        read = self._judgement(order).resource
        concepts = medication_concepts(read, medications, partial(self._medicine, kind))
        matches = [self._add(kind, order, concept) for concept in concepts]
        is_unknown = not matches or all(match is _UNKNOWN for match in matches)
        if is_unknown and may_be_in_force(read):
            self.set_aside(read, UNREADABLE, *concepts)

    def _medicine(self, kind: str, medication: Resource) -> list[Resource]:
        """The concepts of a Medication, without those that only repeat another one.

        It is read once, however many orders refer to it.
        """
        known = self._medicines.get((kind, id(medication)))
        if known is not None:
            return known
        found: set[tuple[str, str, bool]] = set()
        kept = self._medicines[kind, id(medication)] = []
        for concept in concepts_of_medication(repaired(medication)):
            match = self._match(kind, concept)[1]
            says = {("code", set_id, set_id in match.denied) for set_id in match.codes}
            says |= {("word", set_id, set_id in match.denied) for set_id in match.words}
            says = says or {("", "", is_understood(kind, match))}
            if not says <= found:
                found |= says
                kept.append(concept)
        return kept

    def _add(
        self,
        kind: str,
        resource: Resource,
        concept: object,
        part: Resource | None = None,
        *,
        with_words: bool = True,
    ) -> object:
        """Index one concept. Gives _KNOWN, _UNKNOWN or _OTHER (not this patient's)."""
        named, match = self._match(kind, concept, with_words)
        if not match.codes and not match.words:
            return _KNOWN if is_understood(kind, match) else _UNKNOWN
        return self._file(kind, resource, named, match, part)

    def _add_named(self, resource: Resource, element: Resource) -> None:
        """Index a result without a code by its name; its part is the result with its value."""
        named = self._terminology.results.read(element)
        if named is not None:
            set_id, part = named
            match = Match(frozenset(), frozenset((set_id,)))
            self._file("Observation", resource, concept_of(element["code"]), match, part)

    def _file(
        self, kind: str, resource: Resource, named: Resource, match: Match, part: Resource | None
    ) -> object:
        part = part and repaired_part(part)
        judgement = self._judgement(resource)
        if not judgement.is_about(self._patient_ids):
            self.set_aside(judgement.resource, OTHER_PATIENT)
            return _OTHER
        if resource.get("modifierExtension") or (part and part.get("modifierExtension")):
            # FHIR R4, 2.4.2: a resource with an unknown modifier must not be used.
            self.set_aside(judgement.resource, UNREADABLE)
            return _OTHER
        for value_sets, by_words in ((match.codes, False), (match.words, True)):
            for value_set in value_sets:
                is_past, is_denied = value_set.startswith("past:"), value_set in match.denied
                is_weak = by_words or is_denied or value_set.endswith("-nonspecific")
                if value_set.endswith(_NOT_ASKED) and not by_words:
                    self.not_asked.add(kind)
                statement = Statement(judgement, part, named, is_weak, is_past, is_denied)
                self._index.setdefault((kind, value_set), []).append(statement)
                self._present.setdefault(kind, set()).add(value_set)
        return _KNOWN

    def _judgement(self, resource: Resource) -> Judgement:
        judgement = self._judgements.get(id(resource))
        if judgement is None:
            judgement = self._judgements[id(resource)] = Judgement(resource)
        return judgement

    def _match(self, kind: str, concept: object, with_words: bool = True) -> tuple[Resource, Match]:
        """A concept in its proper shape, and what it matches; answers to one question share it."""
        how = (kind, with_words)
        if self._matched[0] is not concept or self._matched[1] != how:
            shaped = concept_of(concept)
            match = self._terminology.match(shaped, kind, with_words=with_words)
            self._matched = (concept, how, (shaped, match))
        return self._matched[2]

    @property
    def birth(self) -> dates.Span | None:
        """The date of birth, or None if it is missing or not a date."""
        return dates.read(self.patient.get("birthDate")) if self.patient else None


# Codes for "nobody knows" and "nobody asked"; words that make a problem an allergy.
_NOT_ASKED, _ALLERGY = "-not-asked", "text-allergy"
_KNOWN, _UNKNOWN, _OTHER = "known", "unknown", "other"
_NO_MATCH: _Matched = (None, ("", False), ({}, NOTHING))
