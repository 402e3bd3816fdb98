"""What the record says about an allergy or intolerance: FHIR AllergyIntolerance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.episode import NEVER_WAS, clinical_status_of, verification_of
from cds_service.knowledge.facts.kind import (
    AS_RECORDED,
    NOT_TOLD,
    Fact,
    Kind,
    no_source,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema, ValueSet, ValueSets
from cds_service.knowledge.record.fhir_json import name_of
from cds_service.knowledge.record.record import Key, PatientRecord
from cds_service.knowledge.record.statements import Statement
from cds_service.knowledge.record.statuses import Status
from cds_service.knowledge.record.terminology import with_past


@dataclass(frozen=True, slots=True)
class AllergyDefinition:
    """A fact of kind `allergy` in facts.yaml; `severe` names reactions that count as severe."""

    value_sets: tuple[str, ...]
    severe: str | None = None


class AllergySchema(DefinitionSchema):
    built_as = AllergyDefinition
    value_sets = ValueSets(data_key="allergy", required=True)
    severe = ValueSet(metadata={"guide": "value set of severe reactions"})


@dataclass(frozen=True, slots=True)
class AllergyFact(Fact):
    """Members that expressions and words may use; None means that the record does not say."""

    present: bool | None
    severe: bool | None = None
    names: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.present


def read_allergy(definition: AllergyDefinition, record: PatientRecord) -> AllergyFact:
    """The fact that a definition gives for a record."""
    valid = [
        statement
        for statement in record.statements("AllergyIntolerance", _value_sets(definition))
        if verification_of(statement.resource, record) not in NEVER_WAS
        and clinical_status_of(statement.resource, record) is not Status.OVER
    ]
    if not valid:
        absent = False if record.is_complete("AllergyIntolerance") else None
        return AllergyFact(absent, absent)
    severities = {_is_severe(allergy, definition, record) for allergy in valid}
    return AllergyFact(
        present=True,
        # The worst of them counts; if one does not say, the answer is unknown.
        severe=True if True in severities else None if None in severities else False,
        names=tuple(dict.fromkeys(name_of(allergy.concept) for allergy in valid)),
        resources=tuple(allergy.resource for allergy in valid),
    )


def keys_of_allergy(definition: AllergyDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("AllergyIntolerance", value_set) for value_set in _value_sets(definition))


def _value_sets(definition: AllergyDefinition) -> tuple[str, ...]:
    return with_past(definition.value_sets)  # "history of a reaction to …" is still an allergy


def _is_severe(
    statement: Statement, definition: AllergyDefinition, record: PatientRecord
) -> bool | None:
    """Whether a reaction was, or is expected to be, severe; None when the record does not say."""
    resource = statement.resource
    if resource.get("criticality") == "high":
        return True
    if definition.severe in record.words(resource.get("code")):
        return True
    is_described = resource.get("criticality") == "low"
    reactions = resource.get("reaction")
    for reaction in reactions if isinstance(reactions, list) else ():
        if not isinstance(reaction, dict):
            continue
        manifestations = reaction.get("manifestation")
        if reaction.get("severity") == "severe" or any(
            definition.severe in record.words(manifestation)
            for manifestation in (manifestations if isinstance(manifestations, list) else ())
        ):
            return True
        is_described = is_described or bool(manifestations) or "severity" in reaction
    return False if is_described else None


def _example(_: AllergyDefinition, present: Any, __: Mapping[str, Any]) -> AllergyFact:
    if present is NOT_TOLD or not present:
        absent = False if present is NOT_TOLD else present
        return AllergyFact(absent, absent)
    return AllergyFact(True, False, AS_RECORDED)


ALLERGY = Kind(
    key="allergy",
    schema=AllergySchema,
    definition=AllergyDefinition,
    fact=AllergyFact,
    main="present",
    read=of_record(read_allergy),
    resource_types=("AllergyIntolerance",),
    keys=keys_of_allergy,
    source=no_source,
    made_of=none_of,
    example=_example,
)
