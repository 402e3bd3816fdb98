"""What the record says about a medicine: the time that it covers, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.courses import FORGOTTEN, Course, course_of, unbroken
from cds_service.knowledge.facts.kind import (
    AS_RECORDED,
    NOT_TOLD,
    Fact,
    Kind,
    no_source,
    none_of,
    of_record,
)
from cds_service.knowledge.facts.schema import DefinitionSchema, ValueSets
from cds_service.knowledge.record.quantities import Interval, Number
from cds_service.knowledge.record.record import Key, PatientRecord
from cds_service.knowledge.record.statements import Unsure

_KINDS = ("MedicationRequest", "MedicationStatement")
_RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class MedicationDefinition:
    """A fact of kind `medication` in facts.yaml; `each` are the drugs that count as different."""

    value_sets: tuple[str, ...]
    each: tuple[str, ...] = ()


class MedicationSchema(DefinitionSchema):
    built_as = MedicationDefinition
    value_sets = ValueSets(data_key="medication", required=True)
    each = ValueSets(at_least=0, metadata={"guide": "drugs that count as different"})


@dataclass(frozen=True, slots=True)
class MedicationFact(Fact):
    """Members that expressions and words may use; None means that the record does not say."""

    active: bool | None
    recent: Annotated[bool | None, "active or ended ≤ 30 days ago"] = None
    uncertain: Annotated[
        bool, "all that is active is old, on hold, out of supply or by words only"
    ] = False
    count: Annotated[Number, "different drugs; a minimum if a list is not whole"] = 0.0
    overlap_days: Annotated[Number | None, "how long two of them have overlapped"] = None
    duration_days: Annotated[float | None, "unbroken cover up to now"] = None
    covered_days: Annotated[float | None, "before the end"] = None
    ended_days: Annotated[float | None, "since the end, by a stop or by the supply"] = None
    stopped_days: Annotated[float | None, "since the end, if it was stopped"] = None
    ran_out_days: Annotated[
        float | None, "since the supply may have run out, if it was not stopped"
    ] = None
    stop_unknown: Annotated[bool, "it ended on an unknown day"] = False
    intolerance: Annotated[bool, "why it once ended"] = False
    ineffective: Annotated[bool, "why it once ended"] = False
    names: tuple[str, ...] = ()
    date: str | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def value(self) -> bool | None:
        """What the bare name of the fact means."""
        return self.active

    @property
    def present(self) -> bool | None:
        """The same as `active`."""
        return self.active


def read_medication(definition: MedicationDefinition, record: PatientRecord) -> MedicationFact:
    """The fact that a definition gives for a record."""
    statements = [
        statement for kind in _KINDS for statement in record.statements(kind, definition.value_sets)
    ]
    courses = [course for statement in statements if (course := course_of(statement, record))]
    in_force = [course for course in courses if course.in_force]
    ended = [course for course in courses if not course.in_force]
    if not in_force and not ended:
        absent = _absent(record)
        return MedicationFact(absent, absent, count=_count(0, record))
    reasons = [_reason(course, record) for course in ended]
    shown = in_force or ended
    return MedicationFact(
        active=True if in_force else _absent(record),
        recent=True if in_force else _is_recent(ended, record),
        uncertain=bool(in_force) and all(course.uncertain for course in in_force),
        intolerance=any("text-intolerance" in reason for reason in reasons),
        ineffective=any("text-ineffective" in reason for reason in reasons),
        names=_names(_ranked(shown, definition, record)),
        date=_latest_start(shown),
        resources=tuple(course.statement.resource for course in shown),
        **_drugs(in_force, definition, record),
        **_cover(courses, in_force, ended, record),
    )


def keys_of_medication(definition: MedicationDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    value_sets = (*definition.value_sets, *definition.each)
    yield from ((kind, value_set) for kind in _KINDS for value_set in value_sets)


def _absent(record: PatientRecord) -> bool | None:
    """False when what is not on the lists is not taken; None when a list did not come whole."""
    # Many servers have no MedicationStatement at all; a server that refuses them may have some.
    failed = record.has_failed("MedicationStatement")
    return False if record.is_complete("MedicationRequest") and not failed else None


def _is_recent(ended: list[Course], record: PatientRecord) -> bool | None:
    today = record.now.date()
    if any(course.end and today - course.end <= _RECENT for course in ended):
        return True
    # Ended on an unknown day: it may have been recently, unless the whole course is long past.
    unknown = any(
        course.end is None and (course.start is None or today - course.start <= FORGOTTEN)
        for course in ended
    )
    return None if unknown else _absent(record)


def _reason(course: Course, record: PatientRecord) -> frozenset[str]:
    """The value sets that the reason for the stop names, by its words."""
    reason = course.statement.resource.get("statusReason")
    if reason is None:  # nearly always
        return frozenset()
    reasons = reason if isinstance(reason, list) else [reason]
    return frozenset().union(*(record.words(concept) for concept in reasons))


def _drugs(
    in_force: list[Course], definition: MedicationDefinition, record: PatientRecord
) -> dict[str, Any]:
    """How many different drugs are in force, and how long two of them have overlapped."""
    drug_of = {
        id(statement.resource): drug
        for drug in definition.each
        for kind in _KINDS
        for statement in record.statements(kind, (drug,))
    }
    days: dict[str, float] = {}
    for course in in_force:
        drug = drug_of.get(id(course.statement.resource), course.name.lower())
        lasted = float((record.now.date() - course.start).days) if course.start else math.inf
        days[drug] = max(days.get(drug, 0.0), lasted)
    longest = sorted(days.values(), reverse=True)
    return {"count": _count(len(days), record), "overlap_days": _overlap(longest)}


def _count(drugs: int, record: PatientRecord) -> Number:
    """The number, or a minimum if a list did not come whole."""
    return float(drugs) if _absent(record) is False else Interval(drugs, math.inf)


def _overlap(longest: list[float]) -> Number | None:
    """How long the second longest has been taken; any time if its start is unknown."""
    if len(longest) < 2:
        return None
    return Interval(0.0, math.inf) if math.isinf(longest[1]) else longest[1]


def _cover(
    courses: list[Course], in_force: list[Course], ended: list[Course], record: PatientRecord
) -> dict[str, Any]:
    """How long it has been taken, or was taken until it was stopped or its supply ran out."""
    today = record.now.date()
    cover: dict[str, Any] = {}
    if in_force:
        cover["duration_days"] = unbroken(courses, today, goes_on=True)
        if not all(course.end for course in in_force):
            return cover
    ends = [(course.end, course.stopped) for course in courses if course.end]
    if not ends:
        return {"stop_unknown": True}
    last, was_stopped = max(ends)
    days = float((today - last).days)
    return cover | {
        "ended_days": days,
        "stopped_days" if was_stopped else "ran_out_days": days,
        "covered_days": unbroken(courses, last),
        "stop_unknown": not in_force and len(ends) < len(ended),
    }


def _ranked(
    courses: list[Course], definition: MedicationDefinition, record: PatientRecord
) -> list[Course]:
    """The courses in the order in which the definition lists their value sets, then as recorded.

    Those of one type of resource come so already.
    """
    if len({course.statement.resource["resourceType"] for course in courses}) < 2:
        return courses
    rank: dict[int, int] = {}
    for place, value_set in enumerate(definition.value_sets):
        for kind in _KINDS:
            for statement in record.statements(kind, (value_set,)):
                rank.setdefault(id(statement.element), place)
    return sorted(courses, key=lambda course: rank[id(course.statement.element)])


def _names(courses: list[Course]) -> tuple[str, ...]:
    """What the record calls the medicines; one is unsure if every course of it is doubtful."""
    names = [course.name for course in courses]
    firm = {name for name, course in zip(names, courses, strict=True) if not course.doubtful}
    return tuple(name if name in firm else Unsure(name) for name in dict.fromkeys(names))


def _latest_start(courses: list[Course]) -> str | None:
    starts = [course.start for course in courses if course.start]
    return max(starts).isoformat() if starts else None


def _example(_: MedicationDefinition, active: Any, __: Mapping[str, Any]) -> MedicationFact:
    if active is NOT_TOLD or not active:
        absent = False if active is NOT_TOLD else active
        return MedicationFact(absent, absent)
    return MedicationFact(True, True, count=1, duration_days=10.0, names=AS_RECORDED)


MEDICATION = Kind(
    key="medication",
    schema=MedicationSchema,
    definition=MedicationDefinition,
    fact=MedicationFact,
    main="active",
    read=of_record(read_medication),
    resource_types=_KINDS,
    keys=keys_of_medication,
    source=no_source,
    made_of=none_of,
    example=_example,
)
