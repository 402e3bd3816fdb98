"""The controls of the playground: what is on the record, and what of it was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Resource
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.patient import PatientDefinition
from cds_service.knowledge.record.quantities import number_text
from cds_service.knowledge.record.record import PatientRecord
from cds_service.playground.changes import ALLERGY, MEDICINE, PROBLEM, Changes, Entry, entries_of
from cds_service.playground.choices import Choice, Choices, Measurement

_LEFT_OUT_OF_LISTS = "Patient"
# What can be left out, by the heading that it stands under.
_ON_RECORD = {
    MEDICINE: ("MedicationRequest", "MedicationStatement"),
    ALLERGY: ("AllergyIntolerance",),
    PROBLEM: ("Condition",),
    "result": ("Observation", "QuestionnaireResponse"),
    "other": ("Encounter", "ServiceRequest", "Procedure"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A result that can be changed: its value now, and the newest one on record, as text."""

    measurement: Measurement
    value: str
    recorded: str
    state: str


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that can be changed about one person or record, with what was entered.

    `entries` are what is on the record, and `choices` what can be added, by kind; `lists` are the
    prefetch keys of lists with the resource type of each.
    """

    changes: Changes
    age: str
    recorded_age: str
    rows: tuple[Row, ...]
    tests: tuple[Measurement, ...]
    entries: Mapping[str, tuple[Entry, ...]]
    choices: Mapping[str, Mapping[str, Choice]]
    lists: Mapping[str, str]

    def title_of(self, addition: str, value_set: str) -> str:
        """The title of what was added."""
        choice = self.choices[addition].get(value_set)
        return choice.title if choice else value_set


def board_of(
    service: CDSService,
    choices: Choices,
    request: Resource,
    call: Call,
    changes: Changes,
    wrong: Mapping[str, str] = MappingProxyType({}),
) -> Board:
    """The controls for a record as it is, with the changes that differ from it.

    `wrong` are fields of the form as they were entered, to be mended.
    """
    record = PatientRecord(call, service.terminology, service.statuses, service.lists)
    facts = Facts(service.facts, record)
    recorded_age = _age(facts, service)
    if changes.age is not None and str(changes.age) == recorded_age:
        changes = replace(changes, age=None)
    recorded = {
        value_set: facts[measurement.fact]
        for value_set, measurement in choices.measurements.items()
    }
    changes = replace(changes, results=_differing(changes.results, recorded))
    rows = [
        Row(
            measurement,
            wrong.get(f"result.{value_set}")
            or _text(changes.results.get(value_set, recorded[value_set].last_value)),
            _text(recorded[value_set].last_value),
            recorded[value_set].state,
        )
        for value_set, measurement in choices.measurements.items()
        if value_set in changes.results
        or f"result.{value_set}" in wrong
        or recorded[value_set].resources
    ]
    shown = {row.measurement.choice.value_set for row in rows}
    return Board(
        changes=changes,
        age=_entered_age(changes, recorded_age, wrong),
        recorded_age=recorded_age,
        rows=tuple(rows),
        tests=tuple(
            measurement
            for value_set, measurement in choices.measurements.items()
            if value_set not in shown
        ),
        entries={
            name: tuple(entries_of(request, service.lists, types))
            for name, types in _ON_RECORD.items()
        },
        choices={
            MEDICINE: choices.medicines,
            ALLERGY: choices.allergies,
            PROBLEM: choices.problems,
        },
        lists={
            key: resource_type
            for key, resource_type in service.lists.items()
            if resource_type != _LEFT_OUT_OF_LISTS
        },
    )


def _differing(results: Mapping[str, float], recorded: Mapping[str, Any]) -> dict[str, float]:
    """The results that are not on the record already, as the form writes them."""
    return {
        value_set: value
        for value_set, value in results.items()
        if value_set in recorded and number_text(value) != _text(recorded[value_set].last_value)
    }


def _text(number: Any) -> str:
    return "" if number is None else number_text(number)


def _entered_age(changes: Changes, recorded: str, wrong: Mapping[str, str]) -> str:
    """What stands in the field: an age on record may be no number, such as 30–31."""
    if changes.age is not None:
        return str(changes.age)
    return wrong.get("age", recorded if recorded.isdecimal() else "")


def _age(facts: Facts, service: CDSService) -> str:
    for name, definition in service.facts.items():
        if isinstance(definition, PatientDefinition) and definition.member == "age":
            return _text(facts[name].value)
    return ""
