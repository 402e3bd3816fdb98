"""facts.yaml at work: each named fact of a patient, read when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.allergy import AllergyDefinition, read_allergy
from cds_service.knowledge.facts.condition import ConditionDefinition, read_condition
from cds_service.knowledge.facts.medication import (
    MedicationDefinition,
    read_medication,
)
from cds_service.knowledge.facts.observation import (
    ObservationDefinition,
    read_observation,
)
from cds_service.knowledge.facts.order import OrderDefinition, read_order
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.record import PatientRecord

if TYPE_CHECKING:
    from cds_service.knowledge.expressions.expressions import Expression


@dataclass(frozen=True, slots=True)
class FactName:
    """The name of a fact as a value, and the part of the fact's own words that says it."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class PatientDefinition:
    """A fact of kind `patient`: age, sex, deceased, or the type of the user."""

    member: str


@dataclass(frozen=True, slots=True)
class ListDefinition:
    """A fact of kind `list`: how well one prefetch key was answered and read."""

    prefetch_key: str
    resource_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupDefinition:
    """A fact of kind `group`: the states of several observations; a tuple means any of them."""

    facts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ExpressionDefinition:
    """A fact of kind `expression`: computed from other facts."""

    expression: Expression


Definition = (
    PatientDefinition
    | ConditionDefinition
    | ObservationDefinition
    | MedicationDefinition
    | AllergyDefinition
    | OrderDefinition
    | ListDefinition
    | GroupDefinition
    | ExpressionDefinition
)


@dataclass(frozen=True, slots=True)
class ValueFact:
    """A fact that is just a value; None means that the record does not say."""

    value: Any
    resources: tuple[Resource, ...] = ()

    @property
    def present(self) -> Any:
        """The same as `value`."""
        return self.value


@dataclass(frozen=True, slots=True)
class ListFact:
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


@dataclass(frozen=True, slots=True)
class GroupFact:
    """The facts in each state, empty for none; what was read once is said with its value."""

    missing: tuple[FactName, ...] = ()
    stale: tuple[FactName, ...] = ()
    unreadable: tuple[FactName, ...] = ()
    conflicting: tuple[FactName, ...] = ()
    not_retrieved: tuple[FactName, ...] = ()
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool:
        """Whether every fact of the group has a usable value."""
        return not (self.missing or self.stale or self.unreadable or self.not_retrieved)


def made_of(definition: Definition) -> tuple[str, ...]:
    """The names of the facts that a group or an expression looks at itself."""
    match definition:
        case GroupDefinition(facts):
            return tuple(name for alternatives in facts for name in alternatives)
        case ExpressionDefinition(expression):
            return expression.facts
    return ()


class Facts(dict[str, Any]):
    """The facts of one patient by name, each read when it is first asked for.

    `absent` are facts of which the record is known to hold nothing; `highest` chooses among two
    different values measured at one time; `conflicts` tells after use whether there were any, so
    that the evaluator looks at both readings.
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        record: PatientRecord,
        *,
        absent: Mapping[str, Any] = MappingProxyType({}),
        highest: bool = False,
    ) -> None:
        super().__init__(absent)
        self._definitions = definitions
        self._record = record
        self._highest = highest
        self.conflicts = False

    def __missing__(self, name: str) -> Any:
        fact = self[name] = self._read(self._definitions[name])
        return fact

    def _read(self, definition: Definition) -> Any:
        match definition:
            case ConditionDefinition():
                return read_condition(definition, self._record)
            case ObservationDefinition():
                fact = read_observation(definition, self._record, highest=self._highest)
                self.conflicts = self.conflicts or fact.state == "conflicting"
                return fact
            case MedicationDefinition():
                return read_medication(definition, self._record)
            case AllergyDefinition():
                return read_allergy(definition, self._record)
            case OrderDefinition():
                return read_order(definition, self._record)
            case PatientDefinition():
                return _PATIENT[definition.member](self._record)
            case ListDefinition():
                return _read_list(definition, self._record)
            case GroupDefinition():
                return read_group(definition, self)
            case ExpressionDefinition():
                return ValueFact(definition.expression.evaluate(self))


_SAID_AS = {"stale": "reading", "conflicting": "reading", "unreadable": "unreadable"}
_FROM_BEST = ("ok", "conflicting", "stale", "unreadable", "not-retrieved", "missing")
_RANK = {state: rank for rank, state in enumerate(_FROM_BEST)}


def read_group(definition: GroupDefinition, facts: Mapping[str, Any]) -> GroupFact:
    """Which facts of a group are in which state; of alternatives the best one counts."""
    found: dict[str, list[FactName]] = {state: [] for state in _FROM_BEST}
    for alternatives in definition.facts:
        best, *others = alternatives
        state = facts[best].state
        for name in others:
            if _RANK[facts[name].state] < _RANK[state]:
                best, state = name, facts[name].state
        if state != "ok":
            found[state].append(FactName(best, _SAID_AS.get(state, "label")))
    return GroupFact(
        missing=tuple(found["missing"]),
        stale=tuple(found["stale"]),
        unreadable=tuple(found["unreadable"]),
        conflicting=tuple(found["conflicting"]),
        not_retrieved=tuple(found["not-retrieved"]),
    )


def _read_list(definition: ListDefinition, record: PatientRecord) -> ListFact:
    aside = [record.set_aside(kind) for kind in definition.resource_types]
    return ListFact(
        complete=record.is_complete(definition.prefetch_key),
        unreadable=sum(each.unreadable for each in aside),
        other_version=sum(each.other_version for each in aside),
        other_patient=sum(each.other_patient for each in aside),
        future=record.count_future(definition.resource_types),
    )


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
    died = patient.get("deceasedBoolean") is True or isinstance(
        patient.get("deceasedDateTime"), str
    )
    return ValueFact(died)


def _user_type(record: PatientRecord) -> ValueFact:
    return ValueFact(record.user_type)


_PATIENT: Mapping[str, Callable[[PatientRecord], ValueFact]] = {
    "age": _age,
    "sex": _sex,
    "deceased": _deceased,
    "user": _user_type,
}
