"""The time that one order or statement of a medicine covers, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import name_of, text_of
from cds_service.knowledge.record.record import PatientRecord
from cds_service.knowledge.record.statements import Statement
from cds_service.knowledge.record.statuses import Status

# A supply that ran out this recently may still be taken; shorter gaps do not interrupt a course.
GAP = timedelta(days=14)
# An order still "active" after this long without a known end may be a forgotten entry.
FORGOTTEN = timedelta(days=365)
# What was dispensed this recently may still be taken if the record does not say how long it lasts.
_LATELY = timedelta(days=30)
_IN_FORCE = frozenset({"active", "on-hold", "unknown", "unclear"})
_NEVER_TAKEN = frozenset({"draft", "cancelled", "entered-in-error", "intended", "not-taken"})
_ONLY_PROPOSED = frozenset({"proposal", "option"})


class _Open(Enum):
    """The record says that there is no end: the last step of a taper."""

    OPEN = "open"


_End = date | _Open | None


@dataclass(frozen=True, slots=True)
class Course:
    """The time that one order or statement covers; `end` None is open, or not known.

    An order in force with an `end` is one whose supply may have run out on that day. `stopped` is
    whether the record says that it was stopped. `doubtful` means that its status or its end leaves
    open whether it is taken; `uncertain` is also true for what is old or known only by words.
    """

    statement: Statement
    start: date | None
    end: date | None
    in_force: bool
    doubtful: bool = False
    uncertain: bool = False
    stopped: bool = False

    @property
    def name(self) -> str:
        """What the record calls the medicine."""
        return name_of(self.statement.concept)


@dataclass(frozen=True, slots=True)
class _Term:
    """What an order or statement says of itself, whichever fact asks."""

    status: str
    is_planned: bool
    start: date | None
    end: _End


def course_of(statement: Statement, record: PatientRecord) -> Course | None:
    """The course of an order or statement, or None if it does not mean that something was taken."""
    # Many facts ask for the same order: one medicine is in a dozen value sets.
    term, today = statement.judgement.once(_term, record), record.now.date()
    if term is None:
        return None
    status, start, end = term.status, term.start, term.end
    if status in _IN_FORCE:
        doubtful = status != "active" or term.is_planned or statement.is_faulty
        return _in_force(statement, start, end, today, doubtful)
    last = end if isinstance(end, date) else None
    if _may_be_left(statement.resource, status, start, end, today):
        return Course(statement, start, None, True, doubtful=True, uncertain=True)
    stopped = status == "stopped" or (status == "completed" and _is_statement(statement.resource))
    return Course(statement, start, min(last, today) if last else None, False, stopped=stopped)


def _term(resource: Resource, record: PatientRecord) -> _Term | None:
    status, intent = _status(resource, record), _folded(resource.get("intent"))
    start, is_planned = _start(resource), intent == "plan"
    if resource.get("doNotPerform") is True or intent in _ONLY_PROPOSED or status in _NEVER_TAKEN:
        return None
    if (is_planned and status != "active") or (start and start > record.now.date()):
        return None
    return _Term(status, is_planned, start, _end(resource, record))


def unbroken(courses: Iterable[Course], until: date, *, goes_on: bool = False) -> float | None:
    """Days of cover back from a day, without a gap above 14 days.

    With `goes_on`, what is in force covers that day, even if its supply may have run out.
    """
    spans = [
        (
            until
            if course.in_force and (goes_on or course.end is None)
            else course.end or course.start,
            course.start,
        )
        for course in courses
        if course.start
    ]
    reached = until
    for end, start in sorted(spans, reverse=True):
        if reached - end <= GAP and start < reached:
            reached = start
    return float((until - reached).days) if spans else None


def _in_force(
    statement: Statement, start: date | None, end: _End, today: date, is_doubtful: bool
) -> Course:
    ran_out = end if isinstance(end, date) and today - end > GAP else None
    doubtful = is_doubtful or ran_out is not None
    forgotten = end is None and (start is None or today - start > FORGOTTEN)
    uncertain = doubtful or forgotten or statement.is_weak
    return Course(statement, start, ran_out, True, doubtful=doubtful, uncertain=uncertain)


def _may_be_left(
    resource: Resource, status: str, start: date | None, end: _End, today: date
) -> bool:
    """Whether a completed order may still be taken.

    A prescription is completed when it was dispensed, not when it is used up (FHIR R4,
    medicationrequest-status); a statement is completed when the medicine is no longer taken.
    """
    if status != "completed":
        return False
    if isinstance(end, date):
        return end > today
    return not _is_statement(resource) and start is not None and today - start <= _LATELY


def _status(resource: Resource, record: PatientRecord) -> str:
    """The status as FHIR spells it; "ended" or "unclear" if it is not one of FHIR's."""
    status = _folded(resource.get("status")) or "unknown"
    if status in _IN_FORCE or status in _NEVER_TAKEN or status in ("completed", "stopped"):
        return status
    match record.statuses.of_word(status):
        case Status.ACTIVE:
            return "active"
        case Status.OVER:
            return "ended"
        case Status.ENTERED_IN_ERROR | Status.REFUTED:
            return "entered-in-error"
    return "unclear"


def _folded(code: object) -> str:
    return "-".join((text_of(code) or "").lower().replace("_", " ").replace("-", " ").split())


def _is_statement(resource: Resource) -> bool:
    return resource.get("resourceType") == "MedicationStatement"


def _start(resource: Resource) -> date | None:
    candidates = [resource.get("authoredOn"), resource.get("effectiveDateTime")]
    candidates += [period.get("start") for period in _periods(resource)]
    candidates.append(resource.get("dateAsserted"))
    spans = [span for span in map(dates.read, candidates) if span]
    return spans[0].earliest.date() if spans else None


def _periods(resource: Resource) -> Iterable[dict[str, Any]]:
    """Every period that may say when the use began."""
    yield _object(resource.get("effectivePeriod"))
    for repeat in _repeats(resource):
        yield _object(repeat.get("boundsPeriod"))


def _end(resource: Resource, record: PatientRecord) -> _End:
    """The latest end that the dosage, the supply or the statement itself gives.

    validityPeriod only says how long it may be dispensed, not how long it is taken.
    """
    stated = dates.read(_object(resource.get("effectivePeriod")).get("end"))
    dosage = _end_of_dosage(resource, record)
    if isinstance(dosage, _Open):
        return dosage
    ends = [stated.latest.date() if stated else None, dosage, _end_of_supply(resource, record)]
    return max((end for end in ends if end), default=None)


def _end_of_dosage(resource: Resource, record: PatientRecord) -> _End:
    """When the last step of the dosage ends; open if only some of the steps have an end."""
    ends: list[date] = []
    reached = _first_day(resource)
    steps = list(_repeats(resource))
    bounded = 0
    for repeat in steps:
        until = dates.read(_object(repeat.get("boundsPeriod")).get("end"))
        lasts = _duration(repeat.get("boundsDuration"), record) or _duration(
            _object(repeat.get("boundsRange")).get("high"), record
        )
        if until:
            ends.append(until.latest.date())
        elif lasts and reached:
            reached = _later(reached, lasts)  # one step after the other
            ends.append(reached)
        bounded += bool(until or lasts)
    if bounded and bounded < len(steps):
        return _Open.OPEN
    return max(ends, default=None)


def _repeats(resource: Resource) -> Iterable[dict[str, Any]]:
    dosages = resource.get("dosageInstruction", resource.get("dosage"))
    for dosage in dosages if isinstance(dosages, list) else ():
        yield _object(_object(_object(dosage).get("timing")).get("repeat"))


def _end_of_supply(resource: Resource, record: PatientRecord) -> date | None:
    dispense = _object(resource.get("dispenseRequest"))
    supply = _duration(dispense.get("expectedSupplyDuration"), record)
    repeats = dispense.get("numberOfRepeatsAllowed", 0)
    first = _first_day(resource)
    if first is None or supply is None or not isinstance(repeats, int):
        return None
    fill = _duration(_object(dispense.get("initialFill")).get("duration"), record)
    repeats = min(max(repeats, 0), 1000)  # an absurd number must not raise an error
    return _later(first, supply * (1 + repeats) + (fill or timedelta()))


def _first_day(resource: Resource) -> date | None:
    authored = dates.read(resource.get("authoredOn"))
    return authored.latest.date() if authored else _start(resource)


def _later(day: date, duration: timedelta) -> date:
    return day + duration if duration < date.max - day else date.max


def _duration(duration: object, record: PatientRecord) -> timedelta | None:
    written = _object(duration)
    value, unit = written.get("value"), written.get("code") or written.get("unit")
    lasts = record.statuses.duration(value, unit)
    return lasts if lasts and lasts.days < 3660 else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
