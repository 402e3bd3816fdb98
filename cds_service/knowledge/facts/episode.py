"""When a problem began, and whether it is over: statuses, onset and abatement of a Condition."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.record import PatientRecord
from cds_service.knowledge.record.statuses import CLINICAL, VERIFICATION, Status

NEVER_WAS = frozenset({Status.REFUTED, Status.ENTERED_IN_ERROR})
_LONGEST_LIFE = timedelta(days=366 * 120)


class _End(Enum):
    """What an abatement means on the day of the call."""

    PAST = "past"
    NONE = "none"  # it is in the future, or the record says that there is none
    UNCLEAR = "unclear"


def verification_of(resource: Resource, record: PatientRecord) -> Status | None:
    """How sure the record is of a problem; None when it does not say."""
    status = resource.get("verificationStatus")
    return record.statuses.read(status, VERIFICATION, resource.get("code"))


def clinical_status_of(resource: Resource, record: PatientRecord) -> Status | None:
    """Whether a problem or an allergy is active or over; None when the record does not say."""
    return record.statuses.read(resource.get("clinicalStatus"), CLINICAL, resource.get("code"))


def standing(resource: Resource, record: PatientRecord) -> tuple[bool, bool]:
    """Whether a problem is current, and whether the record is clear about that.

    A missing status means "unknown", not "no". It is over if its status says so, or if its end is
    past and its status is not active. If the two contradict each other, it is current and unclear.
    """
    status, end = clinical_status_of(resource, record), _end(resource, record)
    if status is Status.OVER or (status is not Status.ACTIVE and end is _End.PAST):
        return False, True
    return True, status is not Status.UNCLEAR and end in (_End.NONE, None)


def onset_of(resource: Resource, record: PatientRecord) -> dates.Span | None:
    """When a problem began, as a span of time; None when the record does not say.

    The day of recording is used only if there is no onset, or an impossible one: what began in
    childhood may be written down today.
    """
    recorded = dates.read(resource.get("recordedDate"))
    for onset in (
        dates.read(resource.get("onsetDateTime")) or dates.find(resource.get("onsetDateTime")),
        _period(resource.get("onsetPeriod"), record),
    ):
        if onset and not onset.is_future(record.now):
            return onset
    if "onsetAge" in resource:
        return _known_by(_age(resource["onsetAge"], record), recorded, record)
    if "onsetRange" in resource:
        return _known_by(_range(resource["onsetRange"], record), recorded, record)
    if "onsetString" in resource:
        return _in_words(resource["onsetString"], recorded, record)
    return recorded if recorded and not recorded.is_future(record.now) else None


def onset_in_words(resource: Resource, name: str, onset: dates.Span | None) -> dates.Span | None:
    """The onset of what ends by itself: as its name says, where nothing else does.

    "DVT in 2009" may be written down today. Only a date at the end of the name counts.
    """
    if any(member.startswith("onset") for member in resource):
        return onset
    told = dates.at_the_end(name)
    return told if told and not (onset and told.latest > onset.latest) else onset


def _end(resource: Resource, record: PatientRecord) -> _End | None:
    if "abatementDateTime" in resource:
        written = resource["abatementDateTime"]
        return _end_at(dates.read(written) or dates.find(written), record)
    if "abatementPeriod" in resource:
        period = resource["abatementPeriod"]
        return _end_at(dates.read(period.get("end")) if isinstance(period, dict) else None, record)
    if "abatementAge" in resource:
        return _end_at(_age(resource["abatementAge"], record), record)
    if "abatementRange" in resource:
        return _end_at(_range(resource["abatementRange"], record), record)
    if "abatementString" in resource:
        return _end_in_words(resource["abatementString"], record)
    if "abatementBoolean" in resource:
        is_over = resource["abatementBoolean"]
        return (
            {True: _End.PAST, False: _End.NONE}.get(is_over) if isinstance(is_over, bool) else None
        )
    return None


def _end_at(span: dates.Span | None, record: PatientRecord) -> _End:
    if span is None:
        return _End.UNCLEAR
    if span.is_past(record.now):
        return _End.PAST
    # An end of today may be the end of the visit instead of the problem.
    return _End.NONE if span.earliest.date() > record.now.date() else _End.UNCLEAR


def _end_in_words(words: object, record: PatientRecord) -> _End:
    text = words if isinstance(words, str) else ""
    match record.statuses.of_word(text):
        case Status.ACTIVE:
            return _End.NONE
        case Status.OVER:
            return _End.PAST
    return _end_at(dates.find(text) or _ago(text, record), record)


def _in_words(
    words: object, recorded: dates.Span | None, record: PatientRecord
) -> dates.Span | None:
    text = words if isinstance(words, str) else ""
    if record.statuses.is_lifelong(text):
        return record.birth
    span = dates.find(text) or _ago(text, record)
    return _known_by(span, recorded, record) if span else None


def _ago(text: str, record: PatientRecord) -> dates.Span | None:
    duration = record.statuses.ago(text)
    if duration is None:
        return None
    today = dates.Span(record.now, record.now, False)
    # "3 weeks ago" may be wrong by a third.
    return dates.after(today, -duration * 4 / 3, duration * 2 / 3)


def _age(age: object, record: PatientRecord) -> dates.Span | None:
    """An age as the year (month, day) of life that it names."""
    if not isinstance(age, dict) or record.birth is None:
        return None
    unit = age.get("code") or age.get("unit")
    value = age.get("value")
    one = record.statuses.duration(1, unit if unit else "a")
    if one is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value * one.days <= _LONGEST_LIFE.days:
        return None
    return dates.after(record.birth, one * value, one)


def _range(ages: object, record: PatientRecord) -> dates.Span | None:
    if not isinstance(ages, dict):
        return None
    low, high = _age(ages.get("low"), record), _age(ages.get("high"), record)
    if low and high:
        return dates.between(low, high)
    return low or (dates.between(record.birth, high) if high and record.birth else None)


def _period(period: object, record: PatientRecord) -> dates.Span | None:
    if not isinstance(period, dict):
        return None
    start, end = dates.read(period.get("start")), dates.read(period.get("end"))
    if start or end is None or record.birth is None:
        return start
    return dates.between(record.birth, end)


def _known_by(
    span: dates.Span | None, recorded: dates.Span | None, record: PatientRecord
) -> dates.Span | None:
    """A span cut at the day of recording: a problem began before it was written down."""
    if span is None or span.is_future(record.now):
        return None
    known = min(recorded.latest if recorded else record.now, record.now)
    if span.earliest >= known:
        return span
    return dates.Span(span.earliest, min(span.latest, known), False)
