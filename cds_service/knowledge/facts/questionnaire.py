"""A score or an answer of a questionnaire: as an Observation, or in a QuestionnaireResponse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import Kind, Reading, none_of
from cds_service.knowledge.facts.observation import (
    ObservationDefinition,
    ObservationFact,
    example_of_observation,
    newest,
)
from cds_service.knowledge.facts.schema import (
    DefinitionSchema,
    Duration,
    ListedAnswers,
    ValueSets,
    answers_of,
)
from cds_service.knowledge.record.fhir_json import objects
from cds_service.knowledge.record.record import Key, PatientRecord

_RESPONSE = "QuestionnaireResponse"
# How a form says the number of a coded answer: in R4, and as FHIR has it now.
_ORDINALS = (
    "http://hl7.org/fhir/StructureDefinition/ordinalValue",
    "http://hl7.org/fhir/StructureDefinition/itemWeight",
)


@dataclass(frozen=True, slots=True)
class QuestionnaireDefinition(ObservationDefinition):
    """A fact of kind `questionnaire`: `prefetch_key` has Observations, `responses` its forms."""

    responses: str = ""


class QuestionnaireSchema(DefinitionSchema):
    value_sets = ValueSets(data_key="questionnaire", required=True)
    prefetch_key = fields.String(
        data_key="from", required=True, metadata={"guide": "prefetch key of its Observations"}
    )
    responses = fields.String(
        required=True, metadata={"guide": "prefetch key of its QuestionnaireResponses"}
    )
    within = Duration(required=True)
    at_least = fields.Float()
    answers = ListedAnswers()

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> QuestionnaireDefinition:
        """The definition, with the quantity that reads its numbers."""
        for name in ("prefetch_key", "responses"):
            if data[name] not in self.known.prefetch:
                raise ValidationError(f"{data[name]} is no list that is prefetched")
        first = data["value_sets"][0]
        quantity = self.known.library.quantities.get(first)
        if quantity is None:
            raise ValidationError(f"quantities.yaml does not have {first}")
        answers = answers_of(data.pop("answers", None), self.known)
        return QuestionnaireDefinition(**data, quantity=quantity, answers=answers)


def read_questionnaire(
    definition: QuestionnaireDefinition,
    record: PatientRecord,
    *,
    highest: bool = False,
    certain: bool = False,
) -> ObservationFact:
    """The newest score or answer of a record, wherever it stands.

    A client that sends no responses keeps its scores as Observations; a list of them that failed or
    came in part may hide one.
    """
    hides = record.has_failed(definition.responses)
    whole = record.is_complete(definition.prefetch_key) and not hides
    statements = (
        replace(statement, element=_scored(statement.element))
        for kind in ("Observation", _RESPONSE)
        for statement in record.statements(kind, definition.value_sets)
    )
    return newest(definition, statements, record, whole=whole, highest=highest, certain=certain)


def keys_of_questionnaire(definition: QuestionnaireDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    for kind in ("Observation", _RESPONSE):
        yield from ((kind, value_set) for value_set in definition.value_sets)


def _scored(element: Resource) -> Resource:
    """The element with the number that its answer carries, as an Observation would have it."""
    concept = element.get("valueCodeableConcept")
    codings = concept.get("coding") if isinstance(concept, dict) else [element.get("valueCoding")]
    for coding in objects(codings):
        number = _ordinal(coding)
        if number is not None:
            return {**element, "valueQuantity": {"value": number}}
    if "valueDecimal" in element:
        return {**element, "valueQuantity": {"value": element["valueDecimal"]}}
    return element


def _ordinal(coding: Resource) -> object:
    for extension in objects(coding.get("extension")):
        if extension.get("url") in _ORDINALS:
            return extension.get("valueDecimal")
    return None


def _read(definition: QuestionnaireDefinition, reading: Reading) -> ObservationFact:
    return read_questionnaire(
        definition, reading.record, highest=reading.highest, certain=reading.certain
    )


QUESTIONNAIRE = Kind(
    key="questionnaire",
    schema=QuestionnaireSchema,
    definition=QuestionnaireDefinition,
    fact=ObservationFact,
    main="value",
    read=_read,
    resource_types=("Observation", _RESPONSE),
    keys=keys_of_questionnaire,
    source=lambda definition: definition.prefetch_key,
    made_of=none_of,
    example=example_of_observation,
)
