"""What the record says of a measurement."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resources import (
    DUE_DATE,
    NOW,
    POTASSIUM,
    WORRY_ANSWER,
    concept,
    days_ago,
    observation,
    quantity,
    worry_score,
)

from cds_service.knowledge.call import Retrieval
from cds_service.knowledge.record.quantities import Interval

from .conftest import FactsOf

LOINC = "http://loinc.org"


def test_the_newest_result_in_its_window_counts(facts_of: FactsOf) -> None:
    fact = facts_of(observation(4.0, days=9), observation(3.1, days=2), observation(5.0, days=20))[
        "potassium"
    ]
    assert (fact.state, fact.value, fact.previous, fact.count) == ("ok", 3.1, 4.0, 3)
    assert (fact.age_days, fact.date, fact.span_days) == (2.0, days_ago(2), 18.0)
    assert fact.present is True


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"valueString": "3.1 mmol/L"}, "uncertain"),
        ({"valueQuantity": {"value": "3.1", "unit": "mmol/L"}}, "uncertain"),
        ({"valueString": "low"}, "unreadable"),
    ],
)
def test_a_number_that_came_from_a_text_warns_and_never_reassures(
    facts_of: FactsOf, members: dict[str, Any], state: str
) -> None:
    fact = facts_of(observation(..., **members))["potassium"]
    assert (fact.state, fact.value) == (state, 3.1 if state == "uncertain" else None)
    assert fact.present is not False
    older = observation(4.0, days=9)
    written = facts_of(older, observation(..., days=2, **members))["potassium"]
    assert written.state == ("conflicting" if state == "uncertain" else "ok")
    assert written.newer_unread is (state == "unreadable")


def test_the_newest_is_chosen_by_instant_not_by_what_the_clock_shows(facts_of: FactsOf) -> None:
    earlier = observation(3.0, effectiveDateTime="2026-11-20T23:00:00+10:00")
    later = observation(4.0, effectiveDateTime="2026-11-20T14:00:00Z")
    for order in ((earlier, later), (later, earlier)):
        fact = facts_of(*order)["potassium"]
        assert (fact.value, fact.previous, fact.state) == (4.0, 3.0, "ok")


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, "ok"), (30, "ok"), (31, "stale"), (365, "stale"), (366, "missing"), (4000, "missing")],
)
def test_a_result_grows_stale_and_then_missing(facts_of: FactsOf, days: float, state: str) -> None:
    fact = facts_of(observation(4.0, days=days))["potassium"]
    assert fact.state == state
    assert fact.value == (4.0 if state == "ok" else None)
    assert fact.last_value == (None if state == "missing" else 4.0)
    assert fact.present is (state == "ok")
    assert fact.count == (1 if state == "ok" else 0)


def test_only_what_came_whole_and_holds_nothing_is_missing(facts_of: FactsOf) -> None:
    assert facts_of()["potassium"].state == "missing"
    assert facts_of()["potassium"].present is False
    for state in (Retrieval.INCOMPLETE, Retrieval.FAILED, Retrieval.MISSING):
        fact = facts_of(states={"laboratory": state})["potassium"]
        assert (fact.state, fact.present, fact.value) == ("not-retrieved", None, None)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *(("final", "ok"), ("amended", "ok"), ("corrected", "ok"), ("FINAL ", "uncertain")),
        *(("preliminary", "uncertain"), ("registered", "uncertain"), ("unknown", "uncertain")),
        *((..., "uncertain"), (None, "uncertain"), ("finalised", "uncertain")),
        *(("cancelled", "missing"), ("entered-in-error", "missing")),
    ],
)
def test_only_final_results_are_certain(facts_of: FactsOf, status: object, state: str) -> None:
    given = observation(4.0, status=status)
    fact, certain = facts_of(given)["potassium"], facts_of(given, certain=True)["potassium"]
    assert fact.state == certain.state == state
    assert fact.value == (None if state == "missing" else 4.0)
    assert certain.value == (4.0 if state == "ok" else None)


def test_a_newer_preliminary_result_warns_and_does_not_reassure(facts_of: FactsOf) -> None:
    given = (observation(2.0, status="preliminary", days=0), observation(4.0))
    low, high, certain = (
        facts_of(*given, **reading)["potassium"]
        for reading in ({}, {"highest": True}, {"certain": True})
    )
    assert (low.state, low.value, low.other_value) == ("conflicting", 2.0, 4.0)
    assert (high.value, certain.value, certain.state) == (4.0, 4.0, "ok")


def test_an_older_preliminary_result_does_not_count_beside_a_newer_final_one(
    facts_of: FactsOf,
) -> None:
    fact = facts_of(observation(2.0, status="preliminary", days=9), observation(4.0))["potassium"]
    assert (fact.state, fact.value) == ("ok", 4.0)


@pytest.mark.parametrize(
    "members",
    [
        {"effectiveDateTime": ..., "effectiveInstant": "2026-11-19T00:00:00Z"},
        {"effectiveDateTime": ..., "effectivePeriod": {"start": "2026-01-01", "end": "2026-11-19"}},
        {"effectiveDateTime": ..., "effectivePeriod": {"start": "2026-11-19"}},
        {"effectiveDateTime": ..., "issued": "2026-11-19T00:00:00Z"},
        {"effectiveDateTime": "bad", "issued": "2026-11-19T00:00:00Z"},
        {"effectiveDateTime": ..., "effectiveTiming": {"event": ["2026-11-19T08:00:00Z"]}},
        {"effectiveDateTime": "2026-11-18T24:00:00Z"},
    ],
)
def test_the_time_of_a_result_is_read_from_whatever_tells_it(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    assert facts_of(observation(4.0, **members))["potassium"].date == "2026-11-19"


def test_a_result_without_a_time_is_uncertain_and_one_of_the_future_does_not_count(
    facts_of: FactsOf,
) -> None:
    for time in (..., "lately"):
        fact = facts_of(observation(2.3, effectiveDateTime=time))["potassium"]
        assert (fact.state, fact.value, fact.date) == ("uncertain", 2.3, None)
    assert facts_of(observation(days=-2))["potassium"].state == "missing"


def test_two_values_of_one_time_conflict_and_either_may_be_chosen(facts_of: FactsOf) -> None:
    both = (observation(2.4), observation(4.4))
    low, high = facts_of(*both)["potassium"], facts_of(*both, highest=True)["potassium"]
    assert (low.state, low.value, low.other_value) == ("conflicting", 2.4, 4.4)
    assert (high.state, high.value, high.other_value) == ("conflicting", 4.4, 2.4)
    assert low.present is True


@pytest.mark.parametrize(
    ("times", "are_one_time"),
    [
        (("2026-11-19", "2026-11-19T06:00:00Z"), True),
        (("2026-11-19", "2026-11-20T06:00:00Z"), False),
        (("2026-11", "2026-11-10"), True),
        (("2026-11-19T08:00:00Z", "2026-11-19T08:30:00Z"), False),
        (("2026-11-19T08:00:00", "2026-11-19T09:00:00"), False),
        (("2026-11-19T08:00:00", "2026-11-19T09:00:00Z"), True),
    ],
)
@pytest.mark.parametrize("values", [(2.3, 4.1), (4.1, 2.3)])
def test_times_that_overlap_are_one_time(
    facts_of: FactsOf, times: tuple[str, str], values: tuple[float, float], are_one_time: bool
) -> None:
    given = [
        observation(value, effectiveDateTime=time)
        for value, time in zip(values, times, strict=True)
    ]
    low, high = facts_of(*given)["potassium"], facts_of(*given, highest=True)["potassium"]
    assert (low.value, high.value) == ((2.3, 4.1) if are_one_time else (values[1],) * 2)
    assert low.state == ("conflicting" if are_one_time else "ok")


def test_facts_know_whether_a_conflict_was_read(facts_of: FactsOf) -> None:
    facts = facts_of(observation(2.4), observation(4.4))
    assert not facts.conflicts
    assert facts["potassium"].state == "conflicting"
    assert facts.conflicts


def test_the_same_value_twice_is_no_conflict(facts_of: FactsOf) -> None:
    same = facts_of(observation(4.0), observation(valueQuantity=quantity(4.0, "meq/L")))[
        "potassium"
    ]
    assert (same.state, same.other_value) == ("ok", None)


def test_old_values_that_differ_are_stale_not_conflicting(facts_of: FactsOf) -> None:
    fact = facts_of(observation(2.4, days=40), observation(4.4, days=40))["potassium"]
    assert (fact.state, fact.value, fact.other_value) == ("stale", None, None)


def test_a_readable_value_counts_beside_an_unreadable_one_of_the_same_time(
    facts_of: FactsOf,
) -> None:
    odd = observation(..., valueString="haemolysed")
    assert facts_of(odd, observation(4.0))["potassium"].value == 4.0


UNREADABLE: list[dict[str, Any]] = [
    {"valueQuantity": quantity(4.0, "ug/L")},
    {"valueQuantity": quantity(40.0)},
    {"valueQuantity": {"value": 4.0}},
    {"valueQuantity": ..., "valueString": "haemolysed"},
    {"valueQuantity": ..., "dataAbsentReason": concept(("urn:x", "unknown", ""))},
    {"valueQuantity": ...},
]


@pytest.mark.parametrize("members", UNREADABLE)
def test_a_newest_result_that_cannot_be_read_does_not_hide_the_one_before(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    odd = observation(days=1, **members)
    fact = facts_of(odd, observation(4.0, days=5))["potassium"]
    assert (fact.state, fact.value, fact.date) == ("ok", 4.0, days_ago(5))
    assert fact.newer_unread is True


@pytest.mark.parametrize("members", UNREADABLE)
def test_a_result_that_cannot_be_read_is_told_where_none_in_the_window_can(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    odd = observation(days=1, **members)
    fact = facts_of(odd, observation(4.0, days=50))["potassium"]
    assert (fact.state, fact.value, fact.date) == ("unreadable", None, days_ago(1))
    assert fact.present is None
    assert [each["id"] for each in fact.resources] == [odd["id"]]


@given(
    results=st.lists(
        st.tuples(
            st.floats(1, 10),
            st.integers(2, 60),
            st.sampled_from(["final", "preliminary", "amended"]),
        ),
        min_size=1,
        max_size=5,
    ),
    members=st.sampled_from(UNREADABLE),
    days=st.integers(0, 1),
)
def test_a_newer_result_that_cannot_be_read_changes_no_value(
    facts_of: FactsOf, results: list[tuple[float, int, str]], members: dict[str, Any], days: int
) -> None:
    known = [observation(value, days=age, status=status) for value, age, status in results]
    odd = observation(days=days, **members)
    for reading in ({}, {"highest": True}, {"certain": True}):
        before = facts_of(*known, **reading)["potassium"]
        after = facts_of(*known, odd, **reading)["potassium"]
        assert after.value == before.value
        assert after.state == before.state or before.state in ("stale", "missing")


def test_a_comparator_is_kept_as_an_interval(facts_of: FactsOf) -> None:
    fact = facts_of(observation(valueQuantity=quantity(8, comparator=">=")))["potassium"]
    assert fact.value == Interval(8.0, math.inf)


def test_a_component_is_read_with_the_time_of_its_panel(facts_of: FactsOf) -> None:
    component = {"code": concept(POTASSIUM), "valueQuantity": quantity(3.0)}
    fact = facts_of(observation(..., {"text": "panel"}, component=[None, 1, component]))[
        "potassium"
    ]
    assert (fact.value, fact.date) == (3.0, days_ago(3))


def test_a_panel_that_only_gathers_is_no_result(facts_of: FactsOf) -> None:
    component = {"code": concept(POTASSIUM), "valueQuantity": quantity(3.0)}
    for members in ({"component": [component]}, {"hasMember": [{"reference": "Observation/x"}]}):
        panel = observation(..., days=1, **members)
        assert facts_of(panel, observation(4.0, days=5))["potassium"].state == "ok"


def test_lower_values_are_left_out_where_a_fact_asks_for_high_ones(facts_of: FactsOf) -> None:
    scores = [worry_score(value, days=days) for value, days in ((9, 1), (10, 20), (15, 80))]
    fact = facts_of(*scores)["worry_high"]
    assert (fact.value, fact.previous, fact.count, fact.span_days) == (10.0, 15.0, 2, 60.0)
    assert facts_of(*scores)["worry_score"].value == 9.0


def test_only_results_in_the_window_are_counted(facts_of: FactsOf) -> None:
    fact = facts_of(worry_score(12, days=1), worry_score(12, days=90), worry_score(12, days=91))[
        "worry_high"
    ]
    assert (fact.count, fact.span_days) == (2, 89.0)


ORDINAL = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 1}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"valueCodeableConcept": concept((LOINC, "LA6571-9", "Nearly every day"))}, 1.0),
        ({"valueCodeableConcept": concept((LOINC, "LA6568-5", "Not at all"))}, 0.0),
        ({"valueCodeableConcept": concept(("urn:local", "3", ""), (LOINC, "LA6571-9", ""))}, 1.0),
        ({"valueCodeableConcept": concept(("https://loinc.org/", "LA6571-9", ""))}, 1.0),
        ({"valueCodeableConcept": {"text": "Nearly EVERY day"}}, 1.0),
        ({"valueCodeableConcept": {"coding": [{"display": "Not at all"}]}}, 0.0),
        ({"valueCodeableConcept": {"coding": [{"code": "x", "extension": [ORDINAL]}]}}, 1.0),
        ({"valueString": " not at all "}, 0.0),
        ({"valueString": "1"}, 1.0),
        ({"valueCodeableConcept": concept(("urn:other", "LA6571-9", ""))}, None),
        ({"valueCodeableConcept": concept((LOINC, "LA6570-1", ""))}, None),
        (
            {"valueCodeableConcept": concept((LOINC, "LA6571-9", ""), (LOINC, "LA6568-5", ""))},
            None,
        ),
        ({"valueCodeableConcept": {"text": "not nearly every day"}}, None),
        ({"valueString": "7"}, None),
        *(({"valueCodeableConcept": odd}, None) for odd in (None, {}, {"coding": []}, "3", [])),
    ],
)
def test_an_answer_counts_as_its_list_says_and_is_unreadable_if_it_is_on_no_list(
    facts_of: FactsOf, answer: dict[str, Any], value: float | None
) -> None:
    fact = facts_of(observation(..., WORRY_ANSWER, **answer))["worry_answer"]
    # A text where an answer belongs is a fault: it counts, and is uncertain.
    known = "uncertain" if "valueString" in answer else "ok"
    assert (fact.value, fact.state) == (value, "unreadable" if value is None else known)


@pytest.mark.parametrize(("ahead", "value"), [(0, 0.0), (100, 100.0), (-1, -1.0)])
def test_a_date_is_read_as_days_from_now(facts_of: FactsOf, ahead: int, value: float) -> None:
    given = observation(..., DUE_DATE, valueDateTime=days_ago(-ahead))
    assert facts_of(given)["due_date"].value == value


def test_a_due_date_that_is_no_date_is_unreadable(facts_of: FactsOf) -> None:
    given = observation(..., DUE_DATE, valueDateTime="in spring")
    assert facts_of(given)["due_date"].state == "unreadable"


def test_the_reference_range_and_flag_are_read(facts_of: FactsOf) -> None:
    given = observation(
        3.0,
        referenceRange=[{"low": quantity(3.5), "high": quantity(5.1)}],
        interpretation=[concept(("urn:x", "L", "low"))],
    )
    fact = facts_of(given)["potassium"]
    assert (fact.low, fact.high, fact.flag) == (3.5, 5.1, "L")


@pytest.mark.parametrize("ranges", [[], [{}, {}], [1], "3.5-5.1", [{"text": "3.5-5.1"}]])
def test_a_range_that_is_not_one_and_clear_is_none(facts_of: FactsOf, ranges: object) -> None:
    fact = facts_of(observation(4.0, referenceRange=ranges))["potassium"]
    assert (fact.low, fact.high) == (None, None)


def test_words_alone_never_make_a_result(facts_of: FactsOf) -> None:
    assert facts_of(observation(4.0, {"text": "Potassium"}))["potassium"].state == "missing"


def test_a_bare_date_may_be_a_day_ahead_of_us(facts_of: FactsOf) -> None:
    tomorrow = (NOW + timedelta(days=1)).date().isoformat()
    fact = facts_of(observation(4.0, effectiveDateTime=tomorrow))["potassium"]
    assert (fact.state, fact.age_days) == ("ok", 0.0)
