"""What a status means, whatever code or word it has, and what words say about a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from cds_service.knowledge.record.clauses import normalise
from cds_service.knowledge.record.code_systems import CodeSystems
from cds_service.knowledge.record.fhir_json import listed

# FHIR's own status systems, as R4 and its predecessors name them.
_OF_FHIR = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
# Codes of these say that there is no status.
_OF_ABSENCE = ("data-absent-reason", "NullFlavor")
_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?) *([^\W\d_]+)")
_LONGEST_TEXT = 300
_UNSPACED = re.compile("[\u4e00-\u9fff]")


class Status(StrEnum):
    """What a status may mean; UNCLEAR is a status that we do not understand."""

    ACTIVE = "active"
    OVER = "over"
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    REFUTED = "refuted"
    ENTERED_IN_ERROR = "entered-in-error"
    UNCLEAR = "unclear"


CLINICAL = frozenset({Status.ACTIVE, Status.OVER})
VERIFICATION = frozenset(
    {Status.CONFIRMED, Status.UNCONFIRMED, Status.REFUTED, Status.ENTERED_IN_ERROR}
)


@dataclass(frozen=True)
class Statuses:
    """cards/statuses.yaml: the codes by (system, code) and the words of every status.

    `lifelong` are words for an onset at birth or in childhood, `time_units` the days in each unit
    of time.
    """

    codes: Mapping[tuple[str, str], Status] = field(default_factory=dict)
    words: Mapping[str, Status] = field(default_factory=dict)
    lifelong: tuple[str, ...] = ()
    time_units: Mapping[str, float] = field(default_factory=dict)
    systems: CodeSystems = field(default_factory=lambda: CodeSystems(()))

    def read(
        self, concept: object, among: frozenset[Status], coded: object = None
    ) -> Status | None:
        """What a status means, or None when there is none.

        `coded` is the concept whose codings may have a status in an extension, as German diagnoses
        do. If the two contradict each other, the status is unclear.
        """
        found = self._of_concept(concept, among) | self._of_extensions(coded, among)
        if len(found) > 1:
            return Status.UNCLEAR
        if found:
            return next(iter(found))
        return Status.UNCLEAR if _says_something(concept) else None

    def is_over(self, problem: Mapping[str, Any]) -> bool:
        """Whether a problem is over or never was, by its statuses."""
        verification = self.read(problem.get("verificationStatus"), VERIFICATION)
        never_was = verification in (Status.REFUTED, Status.ENTERED_IN_ERROR)
        return never_was or self.read(problem.get("clinicalStatus"), CLINICAL) is Status.OVER

    def of_word(self, word: str) -> Status | None:
        """What a word means as a whole status."""
        # Nearly always a code of FHIR, spelled as in FHIR.
        return self.words.get(word) or self.words.get(normalise(word))

    def is_lifelong(self, text: str) -> bool:
        """Whether words mean an onset at birth or in childhood."""
        padded = f" {normalise(text)} "
        return any(phrase in padded for phrase in self._padded_lifelong)

    def duration(self, amount: object, unit: object) -> timedelta | None:
        """The length of a time in a unit, a UCUM code or a word; None if it cannot be read."""
        days = self.time_units.get(normalise(unit)) if isinstance(unit, str) else None
        if days is None or isinstance(amount, bool) or not isinstance(amount, int | float):
            return None
        if not 0 < amount < 1e9 or not amount * days < 60_000:
            return None
        return timedelta(days=amount * days)

    def ago(self, text: str) -> timedelta | None:
        """How long ago, in words: "3 weeks ago", "seit 10 Jahren"; None if they do not say."""
        amount = _AMOUNT.search(
            text[:_LONGEST_TEXT]
        )  # digits alone would be searched for many times
        if amount is None:
            return None
        return self.duration(float(amount[1].replace(",", ".")), amount[2])

    @cached_property
    def _padded_lifelong(self) -> tuple[str, ...]:
        return tuple(
            phrase if _UNSPACED.search(phrase) else f" {normalise(phrase)} "
            for phrase in self.lifelong
        )

    def _of_concept(self, concept: object, among: frozenset[Status]) -> frozenset[Status]:
        """The first of these that has a meaning: FHIR's codes, other codes, words."""
        if isinstance(concept, str):
            return self._of_words([concept], among)
        codings = list(codings_of(concept))
        own = [coding.get("code") for coding in codings if _is_of_fhir(coding)]
        found = self._of_words(own, among)
        if found:
            return found
        text = concept.get("text") if isinstance(concept, dict) else None
        others = [coding.get("code") for coding in codings if not _is_of_fhir(coding)]
        return self._of_codes(codings, among) or self._of_words(
            [text, *others, *(coding.get("display") for coding in codings)], among
        )

    def _of_codes(
        self, codings: Iterable[Mapping[str, Any]], among: frozenset[Status]
    ) -> frozenset[Status]:
        keys = ((self._system_of(coding), str(coding.get("code")).strip()) for coding in codings)
        return frozenset(self.codes[key] for key in keys if key in self.codes) & among

    def _system_of(self, coding: Mapping[str, Any]) -> str:
        spoken = self.systems.of(coding.get("system"))
        return spoken.address if spoken else str(coding.get("system")).strip()

    def _of_words(self, words: Iterable[object], among: frozenset[Status]) -> frozenset[Status]:
        meanings = (self.of_word(word) for word in words if isinstance(word, str))
        return frozenset(meaning for meaning in meanings if meaning) & among

    def _of_extensions(self, concept: object, among: frozenset[Status]) -> frozenset[Status]:
        extended = [coding for coding in codings_of(concept) if "extension" in coding]
        codings = [
            value
            for coding in extended
            for extension in listed(coding["extension"])
            for value in (
                extension.get("valueCoding"),
                *codings_of(extension.get("valueCodeableConcept")),
            )
            if isinstance(value, dict)
        ]
        return self._of_codes(codings, among) if codings else frozenset()


def codings_of(concept: object) -> Iterator[dict[str, Any]]:
    """The codings of a CodeableConcept of any shape."""
    yield from listed(concept.get("coding") if isinstance(concept, dict) else None)


def _is_absence(coding: Mapping[str, Any]) -> bool:
    return str(coding.get("system")).endswith(_OF_ABSENCE)


def _is_of_fhir(coding: Mapping[str, Any]) -> bool:
    system = coding.get("system")
    return isinstance(system, str) and system.startswith(_OF_FHIR)


def _says_something(concept: object) -> bool:
    if isinstance(concept, str):
        return bool(concept.strip())
    if not isinstance(concept, dict):
        return concept is not None
    texts = [concept.get("text")]
    for coding in codings_of(concept):
        if not _is_absence(coding):
            texts += [coding.get("code"), coding.get("display")]
    return any(isinstance(text, str) and text.strip() for text in texts)
