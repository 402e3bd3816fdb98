"""Facts about the patient, the lists and groups."""

from __future__ import annotations

import pytest
from resources import NOW, condition, days_ago, observation, order, patient, worry_score

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Retrieval
from cds_service.knowledge.facts.kind import FactName
from cds_service.knowledge.record.quantities import Interval

from .conftest import FactsOf


@pytest.mark.parametrize(
    ("birth", "age"),
    [
        ("1961-11-22", 65.0),
        ("1961-11-23", 64.0),
        ("1961", Interval(64, 65)),
        ("2026-11-22", 0.0),
        ("1906-11-22", 120.0),
        ("1905-11-22", None),
        ("2030-01-01", None),
        ("once", None),
        (..., None),
        (1961, None),
    ],
)
def test_the_age_is_whole_years_or_unknown(facts_of: FactsOf, birth: object, age: object) -> None:
    assert facts_of(patient(birthDate=birth))["age"].value == age


def test_without_a_patient_age_is_unknown_and_nobody_is_called_dead(facts_of: FactsOf) -> None:
    facts = facts_of()
    assert (facts["age"].value, facts["deceased"].value) == (None, False)


@pytest.mark.parametrize(
    ("members", "deceased"),
    [
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2026"}, True),
        ({"deceasedDateTime": "2027-01-01"}, False),
        ({"deceasedDateTime": ""}, False),
        ({"deceasedBoolean": False}, False),
        ({}, False),
    ],
)
def test_a_patient_is_dead_when_the_record_says_so(
    facts_of: FactsOf, members: dict[str, object], deceased: bool
) -> None:
    assert facts_of(patient(**members))["deceased"].value is deceased


def test_an_expression_fact_has_the_value_of_its_condition(facts_of: FactsOf) -> None:
    assert facts_of(patient(birthDate="1961-11-22"))["older"].value is True
    assert facts_of(patient(birthDate="1961-11-23"))["older"].value is False
    assert facts_of(patient(birthDate="1961"))["older"].value is None


def test_a_list_tells_how_well_it_came(facts_of: FactsOf) -> None:
    facts = facts_of(
        condition(clinicalStatus="active"),
        condition(subject={"reference": "Patient/bob"}),
        order({"text": "a pill"}),
        order(days=-3),
        states={"medicationRequests": Retrieval.INCOMPLETE},
    )
    problems, medicines = facts["problem_list"], facts["medication_list"]
    assert (problems.complete, problems.other_version, problems.other_patient) == (False, 1, 1)
    assert (medicines.complete, medicines.unreadable, medicines.future) == (False, 1, 1)
    assert facts_of()["problem_list"].value is True


def test_a_group_names_its_facts_by_state(facts_of: FactsOf) -> None:
    group = facts_of(observation(4.0, days=40))["tests"]
    assert [each.name for each in group.stale] == ["potassium"]
    assert [each.name for each in group.missing] == ["worry_score"]
    assert (group.unreadable, group.conflicting, group.not_retrieved) == ((), (), ())
    assert group.value is False


def test_a_group_names_what_lies_outside_of_its_range(facts_of: FactsOf) -> None:
    assert facts_of(observation(5.4))["tests"].outside == (FactName("potassium", "reading"),)
    assert facts_of(observation(5.3))["tests"].outside == ()
    assert facts_of(observation(6.0))["tests"].outside == ()


def test_of_alternatives_in_a_group_the_best_counts(facts_of: FactsOf) -> None:
    group = facts_of(observation(4.0), worry_score(3))["tests"]
    assert (group.value, group.missing) == (True, ())


def test_an_incomplete_list_makes_a_group_not_retrieved_not_missing(facts_of: FactsOf) -> None:
    group = facts_of(states={"laboratory": Retrieval.FAILED})["tests"]
    assert group.not_retrieved == (FactName("potassium", "label"),)
    assert group.value is False


def test_a_fact_is_read_once(facts_of: FactsOf, tiny: CDSService) -> None:
    facts = facts_of(observation(4.0))
    assert facts["potassium"] is facts["potassium"]
    assert set(facts) == {"potassium"} < set(tiny.facts)


def test_today_is_an_argument(facts_of: FactsOf) -> None:
    given = observation(4.0, effectiveDateTime=days_ago(0))
    later = NOW.replace(year=2027)
    assert facts_of(given)["potassium"].state == "ok"
    assert facts_of(given, now=later)["potassium"].state == "stale"
