"""What the record says of tests that were ordered: FHIR ServiceRequests of a recent date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.condition import text_of
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.record import PatientRecord

PREFETCH_KEY = "serviceRequests"
# What somebody only thinks of, this service among them, is no order.
_MEANT = frozenset(
    {"order", "original-order", "reflex-order", "filler-order", "instance-order", "directive"}
)


@dataclass(frozen=True, slots=True)
class OrderDefinition:
    """A fact of kind `order`: whether one of these is on order, since at most `within`."""

    value_sets: tuple[str, ...]
    within: timedelta


@dataclass(frozen=True, slots=True)
class OrderFact:
    """Members that expressions and words may use; None means that the record does not say."""

    present: bool | None
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.present


def read_order(definition: OrderDefinition, record: PatientRecord) -> OrderFact:
    """The fact that a definition gives on a record."""
    found = [
        statement.resource
        for statement in record.statements("ServiceRequest", definition.value_sets)
        if _is_in_force(statement.resource)
        and (span := dates.read(statement.resource.get("authoredOn"))) is not None
        and not span.is_future(record.now)
        and span.is_within(definition.within, record.now)
    ]
    if found:
        return OrderFact(True, tuple(found))
    return OrderFact(False if record.is_complete(PREFETCH_KEY) else None)


def _is_in_force(resource: Resource) -> bool:
    return (
        text_of(resource.get("status")) == "active"  # a completed one has its results on record
        and text_of(resource.get("intent")) in _MEANT
        and resource.get("doNotPerform") is not True
    )
