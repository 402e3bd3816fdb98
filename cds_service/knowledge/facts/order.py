"""What the record says about tests that were ordered: recent FHIR ServiceRequests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from marshmallow import ValidationError, validates_schema

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import NOT_TOLD, Fact, Kind, no_source, none_of, of_record
from cds_service.knowledge.facts.schema import DefinitionSchema, Duration, ValueSets
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import text_of
from cds_service.knowledge.record.record import Key, PatientRecord

_TYPE = "ServiceRequest"
# A proposal is not an order, even if this service made it.
_MEANT = frozenset(
    {"order", "original-order", "reflex-order", "filler-order", "instance-order", "directive"}
)


@dataclass(frozen=True, slots=True)
class OrderDefinition:
    """A fact of kind `order`: whether one of these is on order, since at most `within`."""

    value_sets: tuple[str, ...]
    within: timedelta


class OrderSchema(DefinitionSchema):
    built_as = OrderDefinition
    value_sets = ValueSets(data_key="order", required=True)
    within = Duration(metadata={"guide": "since authored"})

    @validates_schema
    def needs_its_list(self, data: dict[str, Any], **_: Any) -> None:
        """Orders come from a list of their own, and are asked for by their date."""
        if _TYPE not in self.known.fetched or "within" not in data:
            raise ValidationError(f"needs `within`, and a prefetch template of {_TYPE}")


@dataclass(frozen=True, slots=True)
class OrderFact(Fact):
    """Members that expressions and words may use; None means that the record does not say."""

    present: Annotated[bool | None, "on order: active, and meant as an order"]
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.present


def read_order(definition: OrderDefinition, record: PatientRecord) -> OrderFact:
    """The fact that a definition gives for a record."""
    found = [
        statement.resource
        for statement in record.statements("ServiceRequest", definition.value_sets)
        if _is_in_force(statement.resource)
        and not statement.is_faulty
        and (span := dates.read(statement.resource.get("authoredOn"))) is not None
        and not span.is_future(record.now)
        and span.is_within(definition.within, record.now)
    ]
    if found:
        return OrderFact(True, tuple(found))
    return OrderFact(False if record.is_complete(_TYPE) else None)


def keys_of_order(definition: OrderDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("ServiceRequest", value_set) for value_set in definition.value_sets)


def _is_in_force(resource: Resource) -> bool:
    return (
        text_of(resource.get("status")) == "active"  # a completed one has its results on record
        and text_of(resource.get("intent")) in _MEANT
        and resource.get("doNotPerform") is not True
    )


def _example(_: OrderDefinition, present: Any, __: Mapping[str, Any]) -> OrderFact:
    return OrderFact(False if present is NOT_TOLD else present)


ORDER = Kind(
    key="order",
    schema=OrderSchema,
    definition=OrderDefinition,
    fact=OrderFact,
    main="present",
    read=of_record(read_order),
    resource_types=("ServiceRequest",),
    keys=keys_of_order,
    source=no_source,
    made_of=none_of,
    example=_example,
)
