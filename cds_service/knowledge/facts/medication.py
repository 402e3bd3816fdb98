"""What the record says of a medicine: when its orders and statements cover, and how they ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.condition import name_of, text_of
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.quantities import Interval, Number
from cds_service.knowledge.record.record import Key, PatientRecord, Statement

_KINDS = ("MedicationRequest", "MedicationStatement")
_IN_FORCE = frozenset({"active", "on-hold", "unknown"})
_ENDED = frozenset({"completed", "stopped"})
_ONLY_PROPOSED = frozenset({"proposal", "plan", "option"})
# A supply that ran out this recently may still be taken (A.0); gaps up to it are one course (R61).
_GAP = timedelta(days=14)
# An order still "active" after this long without a known end may be a forgotten entry.
_FORGOTTEN = timedelta(days=365)
_RECENT = timedelta(days=30)
_DAYS = {"d": 1, "wk": 7, "mo": 30, "a": 365, "day": 1, "days": 1, "week": 7, "weeks": 7}


@dataclass(frozen=True, slots=True)
class MedicationDefinition:
    """A fact of kind `medication` in facts.yaml; `each` are the drugs that count as different."""

    value_sets: tuple[str, ...]
    each: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MedicationFact:
    """Members that expressions and words may use; None means that the record does not say.

    `recent`: in force or ended at most 30 days ago; `uncertain`: all that is in force is old, on
    hold or known by its words only; `count`: different drugs in force, at least so many when a
    list did not come whole; `overlap_days`: for how long two of them; `duration_days`: unbroken
    cover up to now; `covered_days`: cover before the stop; `stopped_days`: since the stop;
    `stop_unknown`: it ended, the record does not say when; `intolerance` and `ineffective`: why
    it once ended.
    """

    active: bool | None
    recent: bool | None = None
    uncertain: bool = False
    count: Number = 0.0
    overlap_days: Number | None = None
    duration_days: float | None = None
    covered_days: float | None = None
    stopped_days: float | None = None
    stop_unknown: bool = False
    intolerance: bool = False
    ineffective: bool = False
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


@dataclass(frozen=True, slots=True)
class _Course:
    """From when to when one order or statement covers; `end` None is open."""

    statement: Statement
    start: date | None
    end: date | None
    in_force: bool
    uncertain: bool


def read_medication(definition: MedicationDefinition, record: PatientRecord) -> MedicationFact:
    """The fact that a definition gives on a record."""
    statements = [
        each for kind in _KINDS for each in record.statements(kind, definition.value_sets)
    ]
    courses = [course for each in statements if (course := _course(each, record))]
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
        names=tuple(dict.fromkeys(_name(course.statement) for course in shown)),
        date=_latest_start(shown),
        resources=tuple(course.statement.resource for course in shown),
        **_drugs(in_force, definition, record),
        **_cover(courses, in_force, ended, record),
    )


def keys_of_medication(definition: MedicationDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from ((kind, value_set) for kind in _KINDS for value_set in definition.value_sets)


def _absent(record: PatientRecord) -> bool | None:
    """False when what is not on the lists is not taken; None when a list did not come whole."""
    statements = record.states.get("medicationStatements", Retrieval.MISSING)
    # Many servers have no MedicationStatement at all; a page of them shows that there are more.
    whole = record.is_complete("medicationRequests") and statements is not Retrieval.INCOMPLETE
    return False if whole else None


def _course(statement: Statement, record: PatientRecord) -> _Course | None:
    resource = statement.resource
    status = text_of(resource.get("status", "unknown"))
    if resource.get("doNotPerform") is True or text_of(resource.get("intent")) in _ONLY_PROPOSED:
        return None
    if status not in _IN_FORCE and status not in _ENDED:
        return None
    today = record.now.date()
    start, end = _start(resource), _end(resource)
    if start and start > today:
        return None
    if status in _ENDED:
        return _Course(statement, start, min(end, today) if end else None, False, False)
    if end and today - end > _GAP:
        return _Course(statement, start, end, False, False)
    forgotten = end is None and (start is None or today - start > _FORGOTTEN)
    uncertain = forgotten or status != "active" or statement.is_weak
    return _Course(statement, start, None, True, uncertain)


def _start(resource: Resource) -> date | None:
    candidates = [resource.get("authoredOn"), resource.get("effectiveDateTime")]
    candidates += [period.get("start") for period in _periods(resource)]
    candidates.append(resource.get("dateAsserted"))
    spans = [span for span in map(dates.read, candidates) if span]
    return spans[0].earliest.date() if spans else None


def _end(resource: Resource) -> date | None:
    ends = [dates.read(period.get("end")) for period in _periods(resource)]
    known = [span.latest.date() for span in ends if span]
    if known:
        return max(known)
    start = dates.read(resource.get("authoredOn"))
    supply = _supply(resource)
    if start is None or supply is None:
        return None
    day = start.latest.date()
    return day + supply if supply < date.max - day else date.max


def _periods(resource: Resource) -> Iterable[dict[str, Any]]:
    """Every period that bounds the use: of the statement, the dosage, the dispensing."""
    yield _object(resource.get("effectivePeriod"))
    dosages = resource.get("dosageInstruction", resource.get("dosage"))
    for dosage in dosages if isinstance(dosages, list) else ():
        repeat = _object(_object(_object(dosage).get("timing")).get("repeat"))
        yield _object(repeat.get("boundsPeriod"))
    yield _object(_object(resource.get("dispenseRequest")).get("validityPeriod"))


def _supply(resource: Resource) -> timedelta | None:
    dispense = _object(resource.get("dispenseRequest"))
    duration = _object(dispense.get("expectedSupplyDuration"))
    days = _DAYS.get(str(duration.get("code", duration.get("unit"))))
    amount, repeats = duration.get("value"), dispense.get("numberOfRepeatsAllowed", 0)
    if days is None or not isinstance(amount, int | float) or not isinstance(repeats, int):
        return None
    total = amount * days * (1 + repeats)
    return timedelta(days=total) if 0 < total < 3660 else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_recent(ended: list[_Course], record: PatientRecord) -> bool | None:
    today = record.now.date()
    if any(course.end and today - course.end <= _RECENT for course in ended):
        return True
    # Ended on an unknown day: it may have been lately unless the whole course is long past.
    unknown = any(
        course.end is None and (course.start is None or today - course.start <= _FORGOTTEN)
        for course in ended
    )
    return None if unknown else _absent(record)


def _reason(course: _Course, record: PatientRecord) -> frozenset[str]:
    """The value sets that the reason for the stop names, by its words."""
    reason = course.statement.resource.get("statusReason")
    reasons = reason if isinstance(reason, list) else [reason]
    return frozenset().union(*(record.words(each) for each in reasons))


def _drugs(
    in_force: list[_Course], definition: MedicationDefinition, record: PatientRecord
) -> dict[str, Any]:
    """How many different drugs are in force, and for how long two of them."""
    drug_of = {
        id(statement.resource): drug
        for drug in definition.each
        for kind in _KINDS
        for statement in record.statements(kind, (drug,))
    }
    days: dict[str, float] = {}
    for course in in_force:
        drug = drug_of.get(id(course.statement.resource), _name(course.statement).lower())
        lasted = float((record.now.date() - course.start).days) if course.start else math.inf
        days[drug] = max(days.get(drug, 0.0), lasted)
    longest = sorted(days.values(), reverse=True)
    return {"count": _count(len(days), record), "overlap_days": _overlap(longest)}


def _count(drugs: int, record: PatientRecord) -> Number:
    """At least so many, when a list did not come whole."""
    return float(drugs) if _absent(record) is False else Interval(drugs, math.inf)


def _overlap(longest: list[float]) -> Number | None:
    """For how long the second longest has been given; from an unknown start any time."""
    if len(longest) < 2:
        return None
    return Interval(0.0, math.inf) if math.isinf(longest[1]) else longest[1]


def _cover(
    courses: list[_Course], in_force: list[_Course], ended: list[_Course], record: PatientRecord
) -> dict[str, Any]:
    today = record.now.date()
    if in_force:
        return {"duration_days": _unbroken(courses, today, today)}
    ends = [course.end for course in ended if course.end]
    if not ends:
        return {"stop_unknown": True}
    last = max(ends)
    return {
        "stopped_days": float((today - last).days),
        "covered_days": _unbroken(courses, last, today),
        "stop_unknown": len(ends) < len(ended),
    }


def _unbroken(courses: list[_Course], until: date, today: date) -> float | None:
    """Days of cover that reach back from `until` with no gap above 14 days."""
    spans = [
        (course.end or (today if course.in_force else course.start), course.start)
        for course in courses
        if course.start
    ]
    reached = until
    for end, start in sorted(spans, reverse=True):
        if reached - end <= _GAP and start < reached:
            reached = start
    return float((until - reached).days) if spans else None


def _name(statement: Statement) -> str:
    return name_of(statement.concept)


def _latest_start(courses: list[_Course]) -> str | None:
    starts = [course.start for course in courses if course.start]
    return max(starts).isoformat() if starts else None
