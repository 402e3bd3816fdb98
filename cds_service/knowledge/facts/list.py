"""How one list of the record came: whole or not, and how much of it could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import (
    ABSENT,
    NOT_TOLD,
    Fact,
    Kind,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema
from cds_service.knowledge.record.record import PatientRecord

_LISTS = {
    "conditions": ("Condition",),
    "laboratory": ("Observation",),
    "vitalSigns": ("Observation",),
    "surveys": ("Observation",),
    "medicationRequests": ("MedicationRequest", "MedicationStatement"),
    "medicationStatements": ("MedicationStatement",),
    "allergies": ("AllergyIntolerance",),
}


@dataclass(frozen=True, slots=True)
class ListDefinition:
    """A fact of kind `list`: how well one prefetch key was answered and read."""

    prefetch_key: str
    resource_types: tuple[str, ...]


class ListSchema(DefinitionSchema):
    prefetch_key = fields.String(
        data_key="list", required=True, metadata={"guide": "<prefetch key>"}
    )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ListDefinition:
        """The definition, with the resource types that the list holds."""
        key = data["prefetch_key"]
        if key not in self.known.prefetch or key not in _LISTS:
            raise ValidationError({"list": [f"{key} is no list that is prefetched"]})
        return ListDefinition(key, _LISTS[key])


@dataclass(frozen=True, slots=True)
class ListFact(Fact):
    """How a list came: `complete` or not, and how much of it could not be used."""

    complete: bool
    unreadable: int = 0
    other_version: int = 0
    other_patient: int = 0
    future: int = 0
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool:
        """What the bare name of the fact means."""
        return self.complete

    def standing(self) -> str:
        """A list that came whole says nothing itself; one that did not lacks."""
        return ABSENT if self.complete else "not-retrieved"

    def stated(self) -> list[str]:
        """How it came, unless it came whole and all of it could be used."""
        aside = (self.unreadable, self.other_version, self.other_patient, self.future)
        if self.complete and not any(aside):
            return []
        return [str(self.complete), *map(str, aside)]


def read_list(definition: ListDefinition, record: PatientRecord) -> ListFact:
    """The fact that a definition gives on a record."""
    aside = [record.set_aside(type_) for type_ in definition.resource_types]
    return ListFact(
        complete=record.is_complete(definition.prefetch_key),
        unreadable=sum(each.unreadable for each in aside),
        other_version=sum(each.other_version for each in aside),
        other_patient=sum(each.other_patient for each in aside),
        future=record.count_future(definition.resource_types),
    )


def _example(_: ListDefinition, complete: Any, __: Mapping[str, Any]) -> ListFact:
    return ListFact(True if complete is NOT_TOLD else complete)


LIST = Kind(
    key="list",
    schema=ListSchema,
    definition=ListDefinition,
    fact=ListFact,
    main="complete",
    read=of_record(read_list),
    resource_types=(),
    keys=none_of,
    source=lambda definition: definition.prefetch_key,
    made_of=none_of,
    example=_example,
)
