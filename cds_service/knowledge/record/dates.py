"""FHIR dates of any precision, as the span of time in which they may lie."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from cds_service.knowledge.record.quantities import Interval

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?\Z", re.ASCII)
_INSIDE = re.compile(r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{4}-\d{2}|(?:19|20)\d{2})(?![-\d])", re.ASCII)
_ENDING = re.compile(r"\A[^,;:.]*\d{4}(?:-\d\d){0,2}\)?\s*\Z", re.ASCII)
# In ISO 8601, midnight at the end of a day.
_MIDNIGHT = re.compile(r"T24(:00)+(?:\.0+)?")
_DAY = timedelta(days=1)
_LONGEST = 100  # characters of any date
# The largest difference between two time zones: a time without a zone may be wrong by this much.
_ANY_ZONE = timedelta(hours=14)
# The laboratory's clock may be ahead of ours by this much before a result counts as future.
_CLOCK_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Span:
    """The earliest and latest instant in UTC that a FHIR date, dateTime or instant may mean."""

    earliest: datetime
    latest: datetime
    has_time: bool

    def is_future(self, now: datetime) -> bool:
        """Whether even the earliest reading lies after `now`; a bare date may be a day ahead."""
        return self.earliest > now + (_CLOCK_SKEW if self.has_time else _DAY)

    def days_before(self, now: datetime) -> float | Interval:
        """Calendar days from here to `now`, never below 0; an Interval when the date is partial."""
        oldest = max((now.date() - self.earliest.date()).days, 0)
        if self.earliest is self.latest:
            return float(oldest)
        newest = max((now.date() - self.latest.date()).days, 0)
        return float(oldest) if newest == oldest else Interval(newest, oldest)

    def overlaps(self, other: Span) -> bool:
        """Whether both may mean the same instant; times without a zone count as of one zone."""
        if self.has_time and self.latest - self.earliest == other.latest - other.earliest:
            return self.earliest == other.earliest
        return self.earliest <= other.latest and other.earliest <= self.latest

    def is_past(self, now: datetime) -> bool:
        """Whether even the latest reading lies before today."""
        return self.latest.date() < now.date()

    def is_within(self, window: timedelta, now: datetime) -> bool:
        """Whether even the earliest reading lies inside the window; whole days by calendar."""
        return _lies_in(window, self.earliest, now)

    def is_before(self, window: timedelta, now: datetime) -> bool:
        """Whether even the latest reading lies before the window."""
        return not _lies_in(window, self.latest, now)


def _lies_in(window: timedelta, moment: datetime, now: datetime) -> bool:
    if window >= _DAY * 2:
        return now.date() - moment.date() <= window
    return now - moment <= window


def read(value: object) -> Span | None:
    """The span of a FHIR date, dateTime or instant (FHIR R4, 2.24.0.1); None for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    return _read(value.strip())


def find(text: object) -> Span | None:
    """The date in a text ("in 1991"), or None if there is not exactly one."""
    found = set(_INSIDE.findall(text)) if isinstance(text, str) else set()
    return read(found.pop()) if len(found) == 1 else None


def at_the_end(text: str) -> Span | None:
    """The date with which a text of one clause ends ("DVT in 2009", "DVT (2009)")."""
    return find(text) if _ENDING.search(text) else None


def between(one: Span, other: Span) -> Span:
    """From the earliest instant of one span to the latest of the other."""
    return Span(one.earliest, max(one.latest, other.latest), False)


def after(start: Span, duration: timedelta, precision: timedelta) -> Span | None:
    """The span shifted by a duration, and longer by a precision."""
    try:
        return Span(start.earliest + duration, start.latest + duration + precision, False)
    except OverflowError:
        return None


@lru_cache(maxsize=4096)  # several facts ask for the same dates
def _read(value: str) -> Span | None:
    partial = _PARTIAL.match(value)
    try:
        if partial:
            return _of_date(*partial.groups())
        midnight = _MIDNIGHT.search(value)
        if midnight:
            value = value.replace(midnight[0], "T00:00")
        moment = datetime.fromisoformat(value) + (_DAY if midnight else timedelta())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
            return Span(moment - _ANY_ZONE, moment + _ANY_ZONE, True)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return Span(moment, moment, True)


def _of_date(year: str, month: str | None, day: str | None) -> Span:
    first = date(int(year), int(month or 1), int(day or 1))
    if day:
        last = first
    elif month:
        last = first.replace(day=monthrange(first.year, first.month)[1])
    else:
        last = first.replace(month=12, day=31)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=UTC)
    return Span(start, end, False)


def years_between(birth: Span, now: datetime) -> float | Interval:
    """Whole years of age at `now`; an Interval when the date of birth is partial."""
    youngest = _years(birth.latest.date(), now.date())
    oldest = _years(birth.earliest.date(), now.date())
    return float(oldest) if youngest == oldest else Interval(youngest, oldest)


def _years(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def written(span: Span | None) -> str | None:
    """A date as a clinician reads it, no more precise than the record: 2024, 2024-03-01."""
    if span is None:
        return None
    if span.earliest.date() == span.latest.date() or span.has_time:
        return span.latest.date().isoformat()
    if (span.earliest.year, span.earliest.month) == (span.latest.year, span.latest.month):
        return f"{span.earliest:%Y-%m}"
    return f"{span.earliest:%Y}"


def performed(resource: Mapping[str, Any]) -> Span | None:
    """When a Procedure was done; of a period its end, else its start."""
    period = resource.get("performedPeriod")
    period = period if isinstance(period, dict) else {}
    candidates = (resource.get("performedDateTime"), period.get("end"), period.get("start"))
    return next((span for span in map(read, candidates) if span), None)


def effective(resource: Mapping[str, Any]) -> Span | None:
    """When an Observation was made or a form was filled in; of a period its end."""
    period = _object(resource.get("effectivePeriod"))
    timing = _object(resource.get("effectiveTiming"))
    events = timing.get("event")
    spans = filter(None, map(read, events if isinstance(events, list) else ()))
    repeated = _object(_object(timing.get("repeat")).get("boundsPeriod"))
    for candidate in (
        read(resource.get("effectiveDateTime")),
        read(resource.get("effectiveInstant")),
        read(period.get("end")),
        read(period.get("start")),
        max(spans, key=lambda span: span.latest, default=None),
        read(repeated.get("end")),
        read(resource.get("issued")),
        read(resource.get("authored")),
    ):
        if candidate:
            return candidate
    return find(resource.get("effectiveDateTime"))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
