"""A score or an answer of a questionnaire: as an Observation, or in a QuestionnaireResponse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.facts.kind import Kind, Reading, none_of
from cds_service.knowledge.facts.observation import (
    ObservationDefinition,
    example_of_observation,
    newest,
)
from cds_service.knowledge.facts.results import ObservationFact
from cds_service.knowledge.facts.schema import (
    DefinitionSchema,
    Duration,
    ListedAnswers,
    ValueSets,
    answers_of,
)
from cds_service.knowledge.record.record import Key, PatientRecord

_TYPES = ("Observation", "QuestionnaireResponse")


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
                raise ValidationError(f"{data[name]} is not a list that is prefetched")
        first = data["value_sets"][0]
        quantity = self.known.library.quantities.get(first)
        if quantity is None:
            raise ValidationError(f"quantities.yaml does not have {first}")
        answers = answers_of(data.pop("answers", {}), quantity, self.known)
        return QuestionnaireDefinition(**data, quantity=quantity, answers=answers)


def read_questionnaire(
    definition: QuestionnaireDefinition,
    record: PatientRecord,
    *,
    highest: bool = False,
    certain: bool = False,
) -> ObservationFact:
    """The newest score or answer on record, in either form.

    If a client sends no responses, its scores are Observations; if the list of responses failed or
    came in part, it may hide one.
    """
    hides = record.has_failed(definition.responses)
    whole = record.is_complete(definition.prefetch_key) and not hides
    statements = chain.from_iterable(
        record.statements(type_, definition.value_sets) for type_ in _TYPES
    )
    return newest(definition, statements, record, whole=whole, highest=highest, certain=certain)


def keys_of_questionnaire(definition: QuestionnaireDefinition) -> Iterable[Key]:
    """The keys of the record's index that such a fact reads."""
    yield from product(_TYPES, definition.value_sets)


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
    resource_types=_TYPES,
    keys=keys_of_questionnaire,
    source=lambda definition: definition.prefetch_key,
    made_of=none_of,
    example=example_of_observation,
)
