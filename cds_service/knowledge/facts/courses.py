"""From when to when the orders and statements of a medicine cover, and which are in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import text_of
from cds_service.knowledge.record.record import PatientRecord, Statement

_IN_FORCE = frozenset({"active", "on-hold", "unknown"})
_ENDED = frozenset({"completed", "stopped"})
_ONLY_PROPOSED = frozenset({"proposal", "plan", "option"})
# A supply that ran out this recently may still be taken (A.0); gaps up to it are one course (R61).
_GAP = timedelta(days=14)
# An order still "active" after this long without a known end may be a forgotten entry.
FORGOTTEN = timedelta(days=365)
_DAYS = {"d": 1, "wk": 7, "mo": 30, "a": 365, "day": 1, "days": 1, "week": 7, "weeks": 7}


@dataclass(frozen=True, slots=True)
class Course:
    """From when to when one order or statement covers; `end` None is open."""

    statement: Statement
    start: date | None
    end: date | None
    in_force: bool
    uncertain: bool


def course_of(statement: Statement, record: PatientRecord) -> Course | None:
    """The course of an order or statement; None when nothing was taken by it."""
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
        return Course(statement, start, min(end, today) if end else None, False, False)
    if end and today - end > _GAP:
        return Course(statement, start, end, False, False)
    forgotten = end is None and (start is None or today - start > FORGOTTEN)
    uncertain = forgotten or status != "active" or statement.is_weak
    return Course(statement, start, None, True, uncertain)


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


def unbroken(courses: list[Course], until: date, today: date) -> float | None:
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
