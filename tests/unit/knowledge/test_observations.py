"""What the record says of a measurement."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
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

from cds_service.knowledge.call import Resource, Retrieval
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
    ("status", "is_read"),
    [
        *(("final", True), ("amended", True), ("corrected", True), ("preliminary", False)),
        *(("registered", False), ("cancelled", False), ("entered-in-error", False)),
        *(("unknown", False), (..., False), (None, False), ("FINAL", True)),
    ],
)
def test_only_final_results_count(facts_of: FactsOf, status: object, is_read: bool) -> None:
    fact = facts_of(observation(4.0, status=status))["potassium"]
    assert fact.state == ("ok" if is_read else "missing")


def test_an_older_final_result_counts_before_a_newer_preliminary_one(facts_of: FactsOf) -> None:
    fact = facts_of(observation(2.0, status="preliminary", days=0), observation(4.0))["potassium"]
    assert (fact.state, fact.value) == ("ok", 4.0)


@pytest.mark.parametrize(
    "members",
    [
        {"effectiveDateTime": ..., "effectiveInstant": "2026-11-19T00:00:00Z"},
        {"effectiveDateTime": ..., "effectivePeriod": {"start": "2026-01-01", "end": "2026-11-19"}},
        {"effectiveDateTime": ..., "effectivePeriod": {"start": "2026-11-19"}},
        {"effectiveDateTime": ..., "issued": "2026-11-19T00:00:00Z"},
        {"effectiveDateTime": "bad", "issued": "2026-11-19T00:00:00Z"},
    ],
)
def test_the_time_of_a_result_is_read_from_whatever_tells_it(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    assert facts_of(observation(4.0, **members))["potassium"].date == "2026-11-19"


def test_a_result_without_a_time_or_of_the_future_does_not_count(facts_of: FactsOf) -> None:
    assert facts_of(observation(effectiveDateTime=...))["potassium"].state == "missing"
    assert facts_of(observation(days=-2))["potassium"].state == "missing"


def test_two_values_of_one_time_conflict_and_either_may_be_chosen(facts_of: FactsOf) -> None:
    both = (observation(2.4), observation(4.4))
    low, high = facts_of(*both)["potassium"], facts_of(*both, highest=True)["potassium"]
    assert (low.state, low.value, low.other_value) == ("conflicting", 2.4, 4.4)
    assert (high.state, high.value, high.other_value) == ("conflicting", 4.4, 2.4)
    assert low.present is True


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


@pytest.mark.parametrize(
    "members",
    [
        {"valueQuantity": quantity(4.0, "ug/L")},
        {"valueQuantity": quantity(40.0)},
        {"valueQuantity": {"value": 4.0}},
        {"valueQuantity": ..., "valueString": "4.0"},
        {"valueQuantity": ..., "dataAbsentReason": concept(("urn:x", "unknown", ""))},
        {"valueQuantity": ...},
    ],
)
def test_a_newest_result_that_cannot_be_read_hides_older_ones(
    facts_of: FactsOf, members: dict[str, Any]
) -> None:
    odd = observation(days=1, **members)
    fact = facts_of(odd, observation(4.0, days=5))["potassium"]
    assert (fact.state, fact.value, fact.date) == ("unreadable", None, days_ago(1))
    assert fact.present is None
    assert [each["id"] for each in fact.resources] == [odd["id"]]


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


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (concept((LOINC, "LA6571-9", "Nearly every day")), 1.0),
        (concept((LOINC, "LA6568-5", "Not at all")), 0.0),
        (concept(("urn:local", "3", ""), (LOINC, "LA6571-9", "")), 1.0),
        (concept(("urn:other", "LA6571-9", "")), 0.0),
    ],
)
def test_an_answer_is_one_for_the_expected_code_and_zero_for_another(
    facts_of: FactsOf, answer: Resource, value: float
) -> None:
    given = observation(..., WORRY_ANSWER, valueCodeableConcept=answer)
    assert facts_of(given)["worry_answer"].value == value


@pytest.mark.parametrize("answer", [None, {}, {"text": "Nearly every day"}, {"coding": []}, "3"])
def test_an_answer_without_a_code_is_unreadable(facts_of: FactsOf, answer: object) -> None:
    given = observation(..., WORRY_ANSWER, valueCodeableConcept=answer)
    assert facts_of(given)["worry_answer"].state == "unreadable"


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
