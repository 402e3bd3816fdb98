"""Answers that are codes or words instead of numbers, as in questionnaires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.record.clauses import normalise
from cds_service.knowledge.record.code_systems import CodeSystems
from cds_service.knowledge.record.statuses import codings_of

# FHIR's extensions that give a coded answer its number.
_ORDINALS = ("/ordinalValue", "/itemWeight", "/iso21090-CO-value")


@dataclass(frozen=True)
class Answers:
    """What each answer counts as; an answer that is not here is unreadable, never "no".

    `codes` are by (system, code), `words` whole answers, whatever their case and accents. A number
    in the answer itself counts if it is `plausible`, or without such a range if another answer
    counts as it.
    """

    codes: Mapping[tuple[str, str], float]
    words: Mapping[str, float]
    systems: CodeSystems
    plausible: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        listed: Mapping[float, list[str]],
        systems: CodeSystems,
        plausible: tuple[float, float] | None = None,
    ) -> Answers:
        """Made from the answers that count as each number: `system|code`, or words."""
        codes: dict[tuple[str, str], float] = {}
        words: dict[str, float] = {}
        for number, answers in listed.items():
            for answer in answers:
                system, bar, code = answer.rpartition("|")
                if bar:
                    codes[_address(system, systems), code] = number
                else:
                    words[normalise(answer)] = number
        return cls(codes, words, systems, plausible)

    def read(self, element: Mapping[str, Any]) -> float | None:
        """The number of an answer in an Observation, a component of one or a form, or None.

        Codes come first, then a number in the answer itself, then its words.
        """
        concept = element.get("valueCodeableConcept")
        codings = [*codings_of(concept), *codings_of({"coding": [element.get("valueCoding")]})]
        for numbers in (
            {self._of_code(coding) for coding in codings},
            set(filter(self._allows, _ordinals(codings))),
            {self._of_words(text) for text in _texts(element, codings)},
        ):
            understood = numbers - {None}
            if understood:
                return understood.pop() if len(understood) == 1 else None
        return None

    def _allows(self, number: float) -> bool:
        if self.plausible is None:
            return number in self._known
        lowest, highest = self.plausible
        return lowest <= number <= highest

    @property
    def _known(self) -> set[float | None]:
        return {*self.codes.values(), *self.words.values()}

    def _of_code(self, coding: Mapping[str, Any]) -> float | None:
        key = (_address(coding.get("system"), self.systems), str(coding.get("code")).strip())
        return self.codes.get(key)

    def _of_words(self, text: str) -> float | None:
        known = self.words.get(normalise(text))
        if known is None and text.strip().isdecimal() and float(text) in self._known:
            return float(text)
        return known


def _address(system: object, systems: CodeSystems) -> str:
    spoken = systems.of(system)
    return spoken.address if spoken else str(system).strip()


def _ordinals(codings: list[dict[str, Any]]) -> Iterator[float]:
    for coding in codings:
        extensions = coding.get("extension")
        for extension in extensions if isinstance(extensions, list) else ():
            if isinstance(extension, dict) and str(extension.get("url")).endswith(_ORDINALS):
                number = extension.get("valueDecimal", extension.get("valueInteger"))
                if isinstance(number, int | float) and not isinstance(number, bool):
                    yield float(number)


def _texts(element: Mapping[str, Any], codings: list[dict[str, Any]]) -> Iterator[str]:
    concept = element.get("valueCodeableConcept")
    texts = [element.get("valueString"), concept.get("text") if isinstance(concept, dict) else None]
    texts += [coding.get("display") for coding in codings]
    if isinstance(element.get("valueBoolean"), bool):
        texts.append("yes" if element["valueBoolean"] else "no")
    yield from (text for text in texts if isinstance(text, str) and text.strip())
