"""Openings: which days, and what of the record was known then."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.simulation.openings import (
    AGE_BANDS,
    UNKNOWN,
    age_band,
    end_of,
    known_at,
    openings_of,
    sex,
)

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(1990, 1, 1), date(2030, 1, 1))


def _encounter(start: Any, status: str = "finished") -> dict[str, Any]:
    return {"resourceType": "Encounter", "status": status, "period": {"start": start}}


def _days(*resources: dict[str, Any], since: date | None = None) -> list[date]:
    return [opening.day for opening in openings_of(resources, TODAY, since)]


def test_a_patient_without_encounters_has_one_opening_today() -> None:
    assert _days({"resourceType": "Patient"}) == [TODAY]
    assert _days(_encounter("2020-01-01", "planned"), _encounter(None), _encounter("2020")) == [
        TODAY
    ]


def test_days_of_encounters_are_openings_once_each() -> None:
    first, second = _encounter("2020-03-01T08:00:00Z"), _encounter("2020-03-01T17:00:00Z")
    assert _days(second, _encounter("2019-05-05"), first) == [date(2019, 5, 5), date(2020, 3, 1)]


def test_encounters_out_of_the_period_leave_a_patient_without_openings() -> None:
    assert _days(_encounter("2019-05-05"), since=date(2020, 1, 1)) == []
    assert _days(_encounter("2027-05-05")) == []


@given(st.lists(DAYS, min_size=1), DAYS)
def test_openings_are_in_order_within_the_period_and_of_encounters(
    days: list[date], since: date
) -> None:
    found = _days(*(_encounter(day.isoformat()) for day in days), since=since)
    assert found == sorted({day for day in days if since <= day <= TODAY})


@given(DAYS, DAYS)
def test_what_came_later_was_not_known_and_nothing_else_is_left_out(came: date, day: date) -> None:
    resources = [
        {"resourceType": "Condition", "recordedDate": came.isoformat(), "onsetDateTime": "1980"},
        {"resourceType": "Observation", "effectiveDateTime": f"{came}T10:00:00Z"},
        {"resourceType": "MedicationRequest", "authoredOn": came.isoformat()},
        {"resourceType": "Encounter", "period": {"start": came.isoformat()}},
    ]
    undated = [
        {"resourceType": "Patient", "birthDate": "2031-01-01"},
        {"resourceType": "Condition", "recordedDate": "yesterday"},
        {"resourceType": "Observation", "effectivePeriod": []},
    ]
    known = known_at([*resources, *undated], end_of(day))
    assert known == (*(resources if came <= day else ()), *undated)


def test_a_date_that_may_be_earlier_keeps_a_resource() -> None:
    resource = {"resourceType": "Condition", "onsetDateTime": "2026"}
    assert known_at([resource], end_of(date(2026, 1, 1))) == (resource,)
    assert known_at([resource], end_of(date(2025, 12, 31))) == ()


@pytest.mark.parametrize(
    "birth, band",
    [
        ("2008-11-23", "0-17"),
        ("2008-11-22", "18-39"),
        ("1986-11-22", "40-64"),
        ("1961-11-22", "65-79"),
        ("1946-11-22", "80 and over"),
        ("1970", "40-64"),
        ("2008", UNKNOWN),  # 17 or 18
        ("2027-01-01", UNKNOWN),
        ("long ago", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_age_band_of_a_date_of_birth(birth: str | None, band: str) -> None:
    assert age_band({"birthDate": birth}, TODAY) == band


@given(st.dates(date(1900, 1, 1), TODAY))
def test_everybody_has_a_band_and_only_one(birth: date) -> None:
    band = age_band({"birthDate": birth.isoformat()}, TODAY)
    assert band in AGE_BANDS and band != UNKNOWN
    assert AGE_BANDS.index(band) <= AGE_BANDS.index(
        age_band({"birthDate": (birth - timedelta(days=1)).isoformat()}, TODAY)
    )


def test_what_is_no_administrative_gender_is_unknown() -> None:
    genders = ("female", "male", "other", "unknown", "F", None, ["male"])
    assert [sex({"gender": gender}) for gender in genders] == [
        "female",
        "male",
        "other",
        *[UNKNOWN] * 4,
    ]
