"""When a chart is opened, and what its record held then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.quantities import Interval

# The element with the day on which a resource came into the record: the first that has a date.
_CAME = {
    "Condition": ("recordedDate", "onsetDateTime", "onsetPeriod"),
    "Observation": ("issued", "effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("dateAsserted", "effectiveDateTime", "effectivePeriod"),
    "AllergyIntolerance": ("recordedDate", "onsetDateTime"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "QuestionnaireResponse": ("authored",),
    "ServiceRequest": ("authoredOn", "occurrenceDateTime"),
    "Encounter": ("period",),
}
# FHIR R4, "EncounterStatus": nobody was there.
_NOT_HELD = frozenset({"planned", "cancelled", "entered-in-error"})
_BANDS = ((18, "0-17"), (40, "18-39"), (65, "40-64"), (80, "65-79"))
_OLDEST, UNKNOWN = "80 and over", "unknown"
AGE_BANDS = (*(name for _, name in _BANDS), _OLDEST, UNKNOWN)
_SEXES = frozenset({"female", "male", "other"})  # FHIR R4, "AdministrativeGender"


@dataclass(frozen=True, slots=True)
class Opening:
    """A chart is opened on a day; `now` is the end of that day, `encounter` the encounter's id."""

    day: date
    now: datetime
    encounter: str | None = None


def openings_of(
    resources: Iterable[Resource], today: date, since: date | None
) -> Sequence[Opening]:
    """One opening for each day on which an encounter began, from `since` until today.

    A patient without any encounter with a date has one opening, today.
    """
    days: dict[date, str | None] = {}
    has_encounters = False
    for resource in resources:
        if resource.get("resourceType") != "Encounter" or resource.get("status") in _NOT_HELD:
            continue
        began = came(resource)
        if began is None or began.earliest.date() != began.latest.date():
            continue
        has_encounters, day = True, began.latest.date()
        if (since is None or since <= day) and day <= today:
            days.setdefault(day, _text(resource.get("id")))
    if not has_encounters:
        days[today] = None
    return [Opening(day, end_of(day), days[day]) for day in sorted(days)]


def end_of(day: date) -> datetime:
    """The last second of a day, in UTC."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


def known_at(resources: Iterable[Resource], now: datetime) -> tuple[Resource, ...]:
    """The resources without those that came into the record after `now`.

    A resource without a date stays. So does one whose date may be earlier, such as a year.
    """
    return tuple(
        resource
        for resource in resources
        if (span := came(resource)) is None or span.earliest <= now
    )


def age_band(patient: Mapping[str, Any], day: date) -> str:
    """The age band at a day; unknown without a date of birth or for one that is in two bands."""
    birth = dates.read(patient.get("birthDate"))
    if birth is None or birth.earliest.date() > day:
        return UNKNOWN
    years = dates.years_between(birth, end_of(day))
    bounds = (years.low, years.high) if isinstance(years, Interval) else (years, years)
    youngest, oldest = map(_band, bounds)
    return youngest if youngest == oldest else UNKNOWN


def sex(patient: Mapping[str, Any]) -> str:
    """The administrative gender as FHIR codes it; unknown for anything else."""
    gender = patient.get("gender")
    return gender if isinstance(gender, str) and gender in _SEXES else UNKNOWN


def _band(years: float) -> str:
    return next((name for below, name in _BANDS if years < below), _OLDEST)


def came(resource: Resource) -> dates.Span | None:
    """When a resource came into the record, as far as it says so."""
    for element in _CAME.get(str(resource.get("resourceType")), ()):
        value = resource.get(element)
        span = dates.read(value.get("start") if isinstance(value, dict) else value)
        if span is not None:
            return span
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
