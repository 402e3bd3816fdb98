"""What the record says about the patient (FHIR Patient), and the call about the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields
from marshmallow.validate import OneOf

from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER, TEXT
from cds_service.knowledge.facts.kind import (
    NOT_TOLD,
    Kind,
    ValueFact,
    no_source,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import ids_of_patient
from cds_service.knowledge.record.record import PatientRecord


@dataclass(frozen=True, slots=True)
class PatientDefinition:
    """A fact of kind `patient`: age, sex, deceased, merged, or the type of the user."""

    member: str

    @property
    def type(self) -> str:
        """The type of its value."""
        return _MEMBERS[self.member].type


class PatientSchema(DefinitionSchema):
    built_as = PatientDefinition
    member = fields.String(
        data_key="patient",
        required=True,
        validate=OneOf(("age", "sex", "deceased", "merged", "user")),
        metadata={"guide": "age (or sex, deceased, merged, user)"},
    )


def read_patient(definition: PatientDefinition, record: PatientRecord) -> ValueFact:
    """The fact that a definition gives for a record."""
    return _MEMBERS[definition.member].read(record)


def _age(record: PatientRecord) -> ValueFact:
    birth = record.birth
    if birth is None or birth.is_future(record.now):
        return ValueFact(None)
    years = dates.years_between(birth, record.now)
    highest = years if isinstance(years, float) else years.high
    return ValueFact(years if highest <= 120 else None, (record.patient or {},))


def _sex(record: PatientRecord) -> ValueFact:
    sex = (record.patient or {}).get("gender")
    return ValueFact(sex if sex in ("female", "male", "other") else None)


def _deceased(record: PatientRecord) -> ValueFact:
    patient = record.patient or {}
    if patient.get("deceasedBoolean") is True:
        return ValueFact(True)
    # With an unknown day it is still a death; with a future day it is not.
    span = dates.read(patient.get("deceasedDateTime"))
    is_ahead = span is not None and span.is_future(record.now)
    has_day = "deceasedDateTime" in patient or "_deceasedDateTime" in patient
    return ValueFact(has_day and not is_ahead)


def _merged(record: PatientRecord) -> ValueFact:
    return ValueFact(any(ids_of_patient(record.patient or {})))


def _user_type(record: PatientRecord) -> ValueFact:
    return ValueFact(record.user_type)


@dataclass(frozen=True, slots=True)
class _Member:
    """One thing that is read about the patient; in an example the patient is an adult."""

    type: str
    read: Callable[[PatientRecord], ValueFact]
    of_an_adult: Any


_MEMBERS: Mapping[str, _Member] = {
    "age": _Member(NUMBER, _age, 40.0),
    "sex": _Member(TEXT, _sex, None),
    "deceased": _Member(BOOLEAN, _deceased, False),
    "merged": _Member(BOOLEAN, _merged, False),
    "user": _Member(TEXT, _user_type, "Practitioner"),
}


def _example(definition: PatientDefinition, value: Any, _: Mapping[str, Any]) -> ValueFact:
    return ValueFact(_MEMBERS[definition.member].of_an_adult if value is NOT_TOLD else value)


PATIENT = Kind(
    key="patient",
    schema=PatientSchema,
    definition=PatientDefinition,
    fact=ValueFact,
    main="value",
    read=of_record(read_patient),
    resource_types=("Patient",),
    keys=none_of,
    source=no_source,
    made_of=none_of,
    example=_example,
)
