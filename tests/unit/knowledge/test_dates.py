"""What a FHIR date of any precision may mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cds_service.knowledge.record import dates
from cds_service.knowledge.record.dates import Span
from cds_service.knowledge.record.quantities import Interval

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def span(text: str) -> Span:
    found = dates.read(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", (2024, 1, 1), (2024, 12, 31)),
        ("2024-02", (2024, 2, 1), (2024, 2, 29)),
        ("2023-02", (2023, 2, 1), (2023, 2, 28)),
        ("2024-12", (2024, 12, 1), (2024, 12, 31)),
        ("2024-03-05", (2024, 3, 5), (2024, 3, 5)),
        ("0001", (1, 1, 1), (1, 12, 31)),
        ("9999-12", (9999, 12, 1), (9999, 12, 31)),
    ],
)
def test_a_partial_date_spans_all_that_it_may_mean(
    text: str, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    found = span(text)
    assert found.earliest == datetime(*first, tzinfo=UTC)
    assert found.latest == datetime(*last, 23, 59, 59, tzinfo=UTC)
    assert not found.has_time


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T23:30:00-02:00",
        "2026-11-21T01:30:00Z",
        "2026-11-21T01:30:00.000Z",
        "2026-11-21T01:30:00.000000+00:00",
        "2026-11-21T15:30:00+14:00",
    ],
)
def test_a_time_with_a_zone_is_one_instant(text: str) -> None:
    instant = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    assert span(text) == Span(instant, instant, True)


def test_a_time_without_a_zone_spans_every_zone() -> None:
    found = span("2026-11-21T12:00:00")
    assert found.earliest == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert found.latest == datetime(2026, 11, 22, 2, tzinfo=UTC)


def test_midnight_at_the_end_of_a_day_is_read_or_refused_but_never_moved() -> None:
    found = dates.read("2026-11-21T24:00:00Z")
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    assert found in (None, Span(midnight, midnight, True))


@pytest.mark.parametrize(
    "junk",
    [
        *(None, True, 2024, 20241122, 1.5, [], {}, ["2024"], {"value": "2024"}),
        *("", " ", "yesterday", "2024-13", "2024-02-30", "2023-02-29", "0000", "24-01-01"),
        *("2024-1-1", "2024-01-01T25:00:00Z", "٢٠٢٤"),
        *("2024-01-01T", "12024-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_no_date_is_none(junk: object) -> None:
    assert dates.read(junk) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2026-11-22", 0.0),
        ("2026-11-21", 1.0),
        ("2025-11-22", 365.0),
        ("2026-11-22T09:29:00Z", 0.0),
        ("2026-11-21T23:59:59Z", 1.0),
        ("2026-11-23", 0.0),
        ("2026-11", Interval(0, 21)),
        ("2026-10", Interval(22, 52)),
        ("2025", Interval(326, 690)),
    ],
)
def test_days_are_counted_by_calendar_and_never_below_zero(
    text: str, days: float | Interval
) -> None:
    assert span(text).days_before(NOW) == days


@pytest.mark.parametrize(
    ("text", "days", "is_within"),
    [
        ("2026-10-23", 30, True),
        ("2026-10-22", 30, False),
        ("2026-10-23T00:00:00Z", 30, True),
        ("2026-10-22T23:59:59Z", 30, False),
        ("2026-11", 30, True),
        ("2026-11", 20, False),
        ("2026", 30, False),
        ("2026-11-23", 30, True),
    ],
)
def test_a_window_of_days_closes_with_the_calendar_day(
    text: str, days: int, is_within: bool
) -> None:
    assert span(text).is_within(timedelta(days=days), NOW) is is_within


@pytest.mark.parametrize(
    ("text", "is_within"),
    [
        ("2026-11-21T09:30:00Z", True),
        ("2026-11-21T09:29:59Z", False),
        ("2026-11-22", True),
        ("2026-11-21", False),
    ],
)
def test_a_window_of_hours_is_counted_to_the_second(text: str, is_within: bool) -> None:
    assert span(text).is_within(timedelta(hours=24), NOW) is is_within


@pytest.mark.parametrize(
    ("text", "is_future"),
    [
        ("2026-11-22T09:45:00Z", False),
        ("2026-11-22T09:45:01Z", True),
        ("2026-11-22T23:30:00", False),
        ("2026-11-23T23:46:00", True),
        ("2026-11-23", False),
        ("2026-11-24", True),
        ("2026", False),
        ("2027", True),
    ],
)
def test_the_future_begins_after_the_skew_of_clocks_or_a_day(text: str, is_future: bool) -> None:
    assert span(text).is_future(NOW) is is_future


@pytest.mark.parametrize(
    ("birth", "today", "age"),
    [
        ("1961-11-22", (2026, 11, 22), 65.0),
        ("1961-11-23", (2026, 11, 22), 64.0),
        ("1961-11-21", (2026, 11, 22), 65.0),
        ("2008-02-29", (2026, 2, 28), 17.0),
        ("2008-02-29", (2026, 3, 1), 18.0),
        ("2004-02-29", (2024, 2, 29), 20.0),
        ("2026-11-22", (2026, 11, 22), 0.0),
        ("1961", (2026, 11, 22), Interval(64, 65)),
        ("1961-11", (2026, 11, 22), Interval(64, 65)),
        ("1961-12", (2026, 11, 22), 64.0),
        ("1961", (2026, 12, 31), 65.0),
    ],
)
def test_an_age_turns_on_the_birthday(
    birth: str, today: tuple[int, int, int], age: float | Interval
) -> None:
    assert dates.years_between(span(birth), datetime(*today, tzinfo=UTC)) == age


def test_blanks_around_a_date_are_no_fault() -> None:
    assert dates.read(" 2024-01-01\n") == dates.read("2024-01-01")


def test_midnight_may_be_called_the_end_of_a_day() -> None:
    assert dates.read("2024-02-29T24:00:00Z") == dates.read("2024-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("in 1991", "1991"),
        ("since 2024-05, worse", "2024-05"),
        ("2024-05-01 and 2024-05-01", "2024-05-01"),
        ("1991 or 1992", None),
        ("room 12345", None),
        ("3 years", None),
        (1991, None),
    ],
)
def test_one_date_may_stand_inside_a_text(text: object, date: str | None) -> None:
    assert dates.find(text) == dates.read(date)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("DVT in 2009", "2009"),
        ("DVT (2009)", "2009"),
        ("DVT 2009-03", "2009-03"),
        ("DVT, scan 2009", None),
        ("2009 DVT left leg", None),
        ("DVT 2009 and 2011", None),
        ("DVT", None),
    ],
)
def test_a_date_at_the_end_of_a_text_says_when(text: str, date: str | None) -> None:
    assert dates.written(dates.at_the_end(text)) == date
