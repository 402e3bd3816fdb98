"""What was done: FHIR Procedure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from marshmallow import ValidationError, fields, validates

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import (
    AS_RECORDED,
    NOT_TOLD,
    Fact,
    Kind,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema, Duration, ValueSets
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import name_of, text_of
from cds_service.knowledge.record.quantities import Number
from cds_service.knowledge.record.record import Key, PatientRecord

# With any other status, or none, it was begun or done.
_NEVER_DONE = frozenset({"preparation", "not-done", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class ProcedureDefinition:
    """A fact of kind `procedure`: done at most `within` ago, or at any time."""

    value_sets: tuple[str, ...]
    prefetch_key: str
    within: timedelta | None = None


class ProcedureSchema(DefinitionSchema):
    built_as = ProcedureDefinition
    value_sets = ValueSets(data_key="procedure", required=True)
    prefetch_key = fields.String(data_key="from", required=True, metadata={"guide": "prefetch key"})
    within = Duration(metadata={"guide": "since it was done"})

    @validates("prefetch_key")
    def is_prefetched(self, prefetch_key: str, **_: Any) -> None:
        """Procedures come from a list of their own."""
        if prefetch_key not in self.known.prefetch:
            raise ValidationError(f"{prefetch_key} is not a list that is prefetched")


@dataclass(frozen=True, slots=True)
class ProcedureFact(Fact):
    """Members that expressions and words may use; None means that the record does not say."""

    present: Annotated[bool | None, "done, or begun"]
    date: Annotated[str | None, "of the latest"] = None
    days: Annotated[Number | None, "since the latest"] = None
    names: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.present


def read_procedure(definition: ProcedureDefinition, record: PatientRecord) -> ProcedureFact:
    """The fact that a definition gives for a record; without a date it counts as done recently."""
    done = [
        (statement, span)
        for statement in record.statements("Procedure", definition.value_sets)
        if text_of(statement.resource.get("status")) not in _NEVER_DONE
        for span in [dates.performed(statement.resource)]
        if span is None or _is_in_window(span, definition, record)
    ]
    if not done:
        return ProcedureFact(False if record.is_complete(definition.prefetch_key) else None)
    latest = max((span for _, span in done if span), key=lambda span: span.latest, default=None)
    return ProcedureFact(
        present=True,
        date=dates.written(latest),
        days=latest.days_before(record.now) if latest else None,
        names=tuple(dict.fromkeys(name_of(statement.concept) for statement, _ in done)),
        resources=tuple(statement.resource for statement, _ in done),
    )


def _is_in_window(span: dates.Span, definition: ProcedureDefinition, record: PatientRecord) -> bool:
    if span.is_future(record.now):
        return False
    return definition.within is None or span.is_within(definition.within, record.now)


def keys_of_procedure(definition: ProcedureDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("Procedure", value_set) for value_set in definition.value_sets)


def _example(_: ProcedureDefinition, present: Any, __: Mapping[str, Any]) -> ProcedureFact:
    if present is NOT_TOLD or not present:
        return ProcedureFact(False if present is NOT_TOLD else present)
    return ProcedureFact(True, "2026-11-12", 10.0, AS_RECORDED)


PROCEDURE = Kind(
    key="procedure",
    schema=ProcedureSchema,
    definition=ProcedureDefinition,
    fact=ProcedureFact,
    main="present",
    read=of_record(read_procedure),
    resource_types=("Procedure",),
    keys=keys_of_procedure,
    source=lambda definition: definition.prefetch_key,
    made_of=none_of,
    example=_example,
)
