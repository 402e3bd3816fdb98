"""The stories of the invented people at another day: every date moves, so that nothing grows old.

Only the standard library is needed, because fixtures/load.py runs without the service's libraries.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

# The clock of every story in fixtures/.
STORY_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_MONTH = re.compile(r"\d{4}-\d{2}\Z")
_YEAR = re.compile(r"\d{4}\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
# FHIR's names of elements that hold a date; elsewhere four digits may be a code.
_NAMES_A_DATE = re.compile(
    r"(?:date|datetime|instant|start|end|period|authored|recorded|issued)\Z", re.I
)


def shifted(resource: Any, now: datetime) -> Any:
    """A FHIR value as it would be if the story's clock stood at `now`; the value stays as it is.

    Times move by the exact difference, days by whole days, months and years to the nearest. What is
    no date, or no day of the calendar, is not changed.
    """
    return _shifted(resource, "", now - STORY_NOW, now.astimezone(UTC).date() - STORY_NOW.date())


def _shifted(value: Any, name: str, exact: timedelta, days: timedelta) -> Any:
    if isinstance(value, dict):
        return {key: _shifted(inner, key, exact, days) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shifted(inner, name, exact, days) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        return _text(value, name, exact, days)
    except (ValueError, OverflowError):  # no day of the calendar, or not one of these centuries
        return value


def _text(text: str, name: str, exact: timedelta, days: timedelta) -> str:
    if _TIME.match(text):
        return _moment(text, exact)
    if _DAY.match(text):
        return (date.fromisoformat(text) + days).isoformat()
    if not _NAMES_A_DATE.search(name):
        return text
    if _MONTH.match(text):
        return (date.fromisoformat(f"{text}-15") + days).isoformat()[:7]
    if _YEAR.match(text):
        return (date(int(text), 7, 2) + days).isoformat()[:4]
    return text


def _moment(text: str, exact: timedelta) -> str:
    """The moment, as precise and in the same zone as it was."""
    moment = datetime.fromisoformat(text) + exact
    fraction = "milliseconds" if "." in text else "seconds" if text[16:17] == ":" else "minutes"
    written = moment.isoformat(timespec=fraction)
    return written.replace("+00:00", "Z") if text.endswith("Z") else written
