"""What the record says of a problem."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from resources import (
    ANXIETY,
    WEAKNESS,
    concept,
    condition,
    days_ago,
    encounter,
    patient,
    status,
)

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.condition import ConditionDefinition, read_condition
from cds_service.knowledge.record.fhir_json import code_of, name_of
from cds_service.knowledge.record.quantities import Interval
from cds_service.knowledge.record.terminology import SNOMED_CT

from .conftest import FactsOf, RecordOf

CLINICAL = {
    **dict.fromkeys(("active", "recurrence", "relapse", None), True),
    **dict.fromkeys(("inactive", "remission", "resolved"), False),
}
VERIFICATION = {
    **dict.fromkeys(("confirmed", None), (True, True)),
    **dict.fromkeys(("unconfirmed", "provisional", "differential"), (True, False)),
    **dict.fromkeys(("refuted", "entered-in-error"), (False, False)),
}


@pytest.mark.parametrize("clinical", CLINICAL)
@pytest.mark.parametrize("verification", VERIFICATION)
def test_both_statuses_decide_whether_a_problem_is_present_and_confirmed(
    facts_of: FactsOf, clinical: str | None, verification: str | None
) -> None:
    fact = facts_of(condition(clinical=clinical, verification=verification))["anxiety"]
    counts, sure = VERIFICATION[verification]
    assert fact.present is (counts and CLINICAL[clinical])
    assert fact.certain is fact.present
    assert fact.confirmed is (fact.present and sure)
    assert fact.value is fact.present


@pytest.mark.parametrize("clinical", CLINICAL)
@pytest.mark.parametrize("verification", VERIFICATION)
def test_a_past_problem_counts_where_any_status_does_unless_it_never_was(
    facts_of: FactsOf, clinical: str | None, verification: str | None
) -> None:
    facts = facts_of(condition(WEAKNESS, clinical=clinical, verification=verification))
    assert facts["weakness_ever"].present is VERIFICATION[verification][0]


PAST = [
    {"abatementDateTime": "2026-01-01"},
    {"abatementDateTime": days_ago(1)},
    {"abatementDateTime": "ca. 2019"},
    {"abatementAge": {"value": 40, "unit": "a"}},
    {"abatementAge": {"value": 500, "code": "mo"}},
    {"abatementPeriod": {"end": "2026-01-01"}},
    {"abatementRange": {"low": {"value": 20, "unit": "a"}, "high": {"value": 30, "unit": "a"}}},
    {"abatementString": "2019"},
    {"abatementString": "Resolved"},
    {"abatementString": "3 weeks ago"},
    {"abatementBoolean": True},
]
NO_END = [
    {"abatementDateTime": "9999-12-31"},
    {"abatementDateTime": days_ago(-90)},
    {"abatementPeriod": {"end": "2027"}},
    {"abatementAge": {"value": 60, "unit": "a"}},
    {"abatementRange": {"low": {"value": 50, "unit": "a"}}},
    {"abatementString": "ongoing"},
    {"abatementString": "Andauernd"},
    {"abatementString": "持续"},
    {"abatementBoolean": False},
    {"abatementRange": {}},
]
UNCLEAR = [
    {"abatementDateTime": days_ago(0)},
    {"abatementDateTime": "2026-11"},
    {"abatementDateTime": "soon"},
    {"abatementPeriod": {"start": "2026-01-01"}},
    {"abatementAge": {"value": 46, "unit": "a"}},
    {"abatementAge": {"value": "40", "unit": "a"}},
    {"abatementString": "after the operation"},
]


@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse", None, "odd"])
@pytest.mark.parametrize(
    ("abatement", "end"),
    [(each, "past") for each in PAST]
    + [(each, "none") for each in NO_END]
    + [(each, "unclear") for each in UNCLEAR],
)
def test_only_an_end_in_the_past_that_no_status_contradicts_is_an_end(
    facts_of: FactsOf, abatement: dict[str, Any], end: str, clinical: str | None
) -> None:
    facts = facts_of(patient(), condition(WEAKNESS, clinical=clinical, **abatement))
    is_over = end == "past" and clinical in (None, "odd")
    is_clear = end == "none" and clinical != "odd"
    assert facts["weakness"].present is not is_over
    assert facts["weakness"].certain is (is_clear and not is_over)
    assert facts["weakness"].uncertain is (not is_clear and not is_over)
    assert facts["weakness_ever"].present is True


@pytest.mark.parametrize("clinical", ["resolved", "inactive", "remission"])
@pytest.mark.parametrize("abatement", [*PAST, *NO_END, *UNCLEAR])
def test_what_the_status_calls_over_is_over_whatever_its_end_says(
    facts_of: FactsOf, abatement: dict[str, Any], clinical: str
) -> None:
    facts = facts_of(patient(), condition(WEAKNESS, clinical=clinical, **abatement))
    assert facts["weakness"].present is False


REFUTED = status("condition-ver-status", "refuted")
LOCAL = {"system": "urn:oid:1.2.840.114350", "code": "2"}
STANDARD = "http://terminology.hl7.org/CodeSystem/condition-clinical"


@pytest.mark.parametrize(
    ("said", "present", "certain"),
    [
        (concept((SNOMED_CT, "413322009", "Problem resolved")), False, False),
        (concept((SNOMED_CT, "277022003", "In remission")), False, False),
        (concept((SNOMED_CT, "73425007", "Inactive")), False, False),
        (concept((SNOMED_CT, "55561003", "Active")), True, True),
        ({"text": "Resolved"}, False, False),
        ({"text": " RESUELTO "}, False, False),
        ({"text": "已痊愈"}, False, False),
        ({"text": "Abgeklungen"}, False, False),
        ({"text": "not resolved"}, True, False),
        ({"text": "who knows"}, True, False),
        ({"coding": [{"system": STANDARD, "code": "Resolved"}]}, False, False),
        ({"coding": [{"code": "RESOLVED "}]}, False, False),
        ({"coding": [LOCAL, {"system": STANDARD, "code": "resolved"}]}, False, False),
        ({"coding": [LOCAL | {"display": "Inactive"}]}, False, False),
        ({"coding": [LOCAL]}, True, False),
        ({"coding": [LOCAL, {"system": STANDARD, "code": "active"}], "text": "over"}, True, True),
        (
            {"coding": [{"system": STANDARD, "code": each} for each in ("active", "resolved")]},
            True,
            False,
        ),
        (
            {
                "coding": [
                    {"system": f"{STANDARD[:-18]}data-absent-reason", "code": "unknown"},
                ]
            },
            True,
            True,
        ),
        ({}, True, True),
        ([], True, True),
    ],
)
def test_a_status_is_read_by_any_code_then_by_its_words(
    facts_of: FactsOf, said: object, present: bool, certain: bool
) -> None:
    fact = facts_of(condition(WEAKNESS, clinicalStatus=said))["weakness"]
    assert (fact.present, fact.certain) == (present, certain)


@pytest.mark.parametrize(
    ("said", "counts", "certain", "confirmed"),
    [
        ({"coding": [LOCAL, *REFUTED["coding"]]}, False, False, False),
        (concept((SNOMED_CT, "723511001", "Refuted")), False, False, False),
        (concept((SNOMED_CT, "410516002", "Known absent")), False, False, False),
        ({"text": "Ruled out"}, False, False, False),
        ({"text": "descartado"}, False, False, False),
        ({"text": "Suspected"}, True, True, False),
        ({"text": "疑似"}, True, True, False),
        ({"text": "hm"}, True, False, False),
        (concept((SNOMED_CT, "410605003", "Confirmed present")), True, True, True),
    ],
)  # fmt: skip
def test_a_verification_is_read_in_the_same_way(
    facts_of: FactsOf, said: object, counts: bool, certain: bool, confirmed: bool
) -> None:
    fact = facts_of(condition(WEAKNESS, verificationStatus=said))["weakness"]
    assert (fact.present, fact.certain, fact.confirmed) == (counts, certain, confirmed)


@pytest.mark.parametrize(
    ("certainty", "status_said", "present", "certain"),
    [
        ("A", ..., False, False),
        ("Z", ..., False, False),
        ("V", ..., True, True),
        ("G", ..., True, True),
        ("A", status("condition-ver-status", "confirmed"), True, False),
    ],
)
def test_the_certainty_of_a_german_diagnosis_counts_as_its_status(
    facts_of: FactsOf, certainty: str, status_said: object, present: bool, certain: bool
) -> None:
    said = concept(WEAKNESS)
    system = "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT"
    said["coding"][0]["extension"] = [
        {
            "url": "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit",
            "valueCoding": {"system": system, "code": certainty},
        }
    ]
    given = condition(said, clinicalStatus=..., verificationStatus=status_said)
    fact = facts_of(given)["weakness"]
    assert (fact.present, fact.certain) == (present, certain)


CHILDHOOD = {"low": {"value": 5, "unit": "a"}, "high": {"value": 10, "unit": "a"}}


@pytest.mark.parametrize(
    ("onset", "days"),
    [
        ({"onsetDateTime": days_ago(10)}, 10.0),
        ({"onsetDateTime": "2026-10"}, Interval(22, 52)),
        ({"onsetPeriod": {"start": days_ago(15), "end": days_ago(1)}}, 15.0),
        ({"onsetAge": {"value": 40}}, Interval(2014, 2380)),
        ({"onsetAge": {"value": 46, "unit": "a"}}, Interval(20, 189)),
        ({"onsetAge": {"value": "five"}}, None),
        (
            {"onsetRange": {"low": {"value": 5, "unit": "a"}, "high": {"value": 10, "unit": "a"}}},
            Interval(12972, 15164),
        ),
        ({"onsetPeriod": {"end": "1991"}}, Interval(12745, 16990)),
        ({"onsetString": "in 1991"}, Interval(12745, 13109)),
        ({"onsetString": "since childhood"}, 16990.0),
        ({"onsetString": "自幼"}, 16990.0),
        ({"onsetString": "Seit Geburt"}, 16990.0),
        ({"onsetString": "3 weeks ago", "recordedDate": days_ago(14)}, Interval(14, 28)),
        ({"onsetString": "hace 10 años"}, Interval(2435, 4870)),
        ({"onsetString": "last summer"}, None),
        ({"onsetDateTime": "ca. 1991"}, Interval(12745, 13109)),
        ({"onsetDateTime": "soon"}, 20.0),
        ({"onsetDateTime": days_ago(-9)}, 20.0),
        ({"onsetDateTime": days_ago(10), "recordedDate": days_ago(2)}, 10.0),
        ({"recordedDate": ...}, None),
    ],
)
def test_the_onset_is_what_the_record_tells_and_the_day_of_recording_only_where_it_tells_nothing(
    facts_of: FactsOf, onset: dict[str, Any], days: object
) -> None:
    assert facts_of(patient(), condition(**onset))["anxiety"].onset_days == days


@pytest.mark.parametrize(
    ("onset", "is_new"),
    [
        ({"onsetDateTime": days_ago(30)}, True),
        ({"onsetDateTime": days_ago(31)}, False),
        ({"onsetDateTime": "2026-11"}, True),
        ({"onsetDateTime": "2026-10"}, None),
        ({"onsetDateTime": "2025"}, False),
        ({"recordedDate": ...}, None),
    ],
)
def test_a_problem_is_new_for_thirty_days(
    facts_of: FactsOf, onset: dict[str, Any], is_new: bool | None
) -> None:
    assert facts_of(condition(**onset))["anxiety"].new is is_new


def test_of_several_onsets_the_earliest_and_the_latest_are_told(facts_of: FactsOf) -> None:
    onsets = [condition(onsetDateTime=days_ago(days)) for days in (200, 10, 90)]
    fact = facts_of(*onsets)["anxiety"]
    assert (fact.onset_days, fact.latest_days, fact.new) == (200.0, 10.0, True)
    assert fact.onset_date == days_ago(200)


def test_an_onset_is_shown_no_more_precisely_than_it_was_recorded(facts_of: FactsOf) -> None:
    for text in ("2024", "2024-03", "2024-03-09"):
        assert facts_of(condition(onsetDateTime=text))["anxiety"].onset_date == text


@pytest.mark.parametrize(("days", "present"), [(365, True), (366, False)])
def test_a_problem_counts_while_it_was_recorded_in_its_window(
    facts_of: FactsOf, days: float, present: bool
) -> None:
    facts = facts_of(condition(WEAKNESS, recordedDate=days_ago(days)))
    assert facts["weakness"].present is present


def test_a_problem_without_a_date_counts_whatever_its_window(facts_of: FactsOf) -> None:
    assert facts_of(condition(WEAKNESS, recordedDate=...))["weakness"].present is True


def test_the_onset_stands_in_for_a_missing_recorded_date(facts_of: FactsOf) -> None:
    old = condition(WEAKNESS, recordedDate=..., onsetDateTime=days_ago(400))
    assert facts_of(old)["weakness"].present is False


def test_words_alone_make_a_problem_present_but_not_certain(facts_of: FactsOf) -> None:
    fact = facts_of(condition({"text": "anxiety"}))["anxiety"]
    assert (fact.present, fact.certain, fact.confirmed) == (True, False, False)


def test_a_code_with_other_meanings_makes_a_problem_present_but_not_certain(
    facts_of: FactsOf,
) -> None:
    code = ("http://hl7.org/fhir/sid/icd-10-cm", "F48.8", "Other")
    fact = facts_of(condition(code))["anxiety"]
    assert (fact.present, fact.certain) == (True, False)


def test_a_specific_code_beside_words_makes_a_problem_certain(facts_of: FactsOf) -> None:
    fact = facts_of(condition({"text": "anxiety"}), condition())["anxiety"]
    assert (fact.present, fact.certain) == (True, True)


def test_certainty_and_confirmation_must_come_from_the_same_statement(facts_of: FactsOf) -> None:
    coded = condition(verification="provisional")
    fact = facts_of(coded, condition({"text": "anxiety"}))["anxiety"]
    assert (fact.certain, fact.confirmed) == (True, False)


def test_a_problem_that_is_refuted_elsewhere_is_disputed(facts_of: FactsOf) -> None:
    fact = facts_of(condition(), condition(verification="refuted"))["anxiety"]
    assert (fact.present, fact.disputed, fact.certain, fact.confirmed) == (
        True,
        True,
        False,
        False,
    )


def test_another_concept_that_is_refuted_disputes_nothing(facts_of: FactsOf) -> None:
    other = condition(("http://hl7.org/fhir/sid/icd-10-cm", "F41.9", ""), verification="refuted")
    fact = facts_of(condition(), other)["anxiety"]
    assert (fact.disputed, fact.certain) == (False, True)


def test_what_was_entered_in_error_disputes_nothing(facts_of: FactsOf) -> None:
    fact = facts_of(condition(), condition(verification="entered-in-error"))["anxiety"]
    assert not fact.disputed


def test_refuted_words_dispute_the_same_words(facts_of: FactsOf) -> None:
    same = {"text": "Leg weakness"}
    refuted = condition({"text": "leg weakness"}, verification="refuted")
    assert facts_of(condition(same), refuted)["weakness"].disputed


def test_names_come_once_each(facts_of: FactsOf) -> None:
    fact = facts_of(condition(), condition(), condition({"text": "Anxiety attack"}))["anxiety"]
    assert fact.names == ("Anxiety", "Anxiety attack")
    assert len(fact.resources) == 3


def test_history_in_words_is_a_past_problem(facts_of: FactsOf) -> None:
    facts = facts_of(condition({"text": "History of leg weakness"}))
    assert (facts["weakness"].present, facts["weakness_ever"].present) == (False, True)


@pytest.mark.parametrize(
    ("visit", "present"),
    [
        (encounter(days=90), True),
        (encounter(days=91), False),
        (encounter(days=-2), False),
        (encounter(period=...), False),
        (encounter(period={"end": days_ago(1)}), False),
        (encounter(status="planned"), False),
        (encounter(status="cancelled"), False),
        (encounter(status="entered-in-error"), False),
        (encounter(status="in-progress"), True),
        (encounter({"text": "no anxiety"}), False),
        (encounter(reasonCode="anxiety"), False),
    ],
)
def test_the_reason_of_a_visit_counts_in_its_window(
    facts_of: FactsOf, visit: Resource, present: bool
) -> None:
    assert facts_of(visit)["anxiety"].present is present


def test_the_reason_of_a_visit_does_not_count_where_the_fact_does_not_say_so(
    facts_of: FactsOf,
) -> None:
    assert facts_of(encounter(WEAKNESS))["weakness"].present is False


def test_a_found_problem_is_present_even_on_an_incomplete_list(facts_of: FactsOf) -> None:
    facts = facts_of(condition(), states={"conditions": Retrieval.INCOMPLETE})
    assert facts["anxiety"].present is True
    assert facts["weakness"].present is None
    assert facts["weakness"].certain is None
    assert facts["weakness"].new is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (status("x", " active "), "active"),
        ({"coding": [{}, {"code": "b"}, {"code": "c"}]}, "b"),
        ({"coding": [{"code": 1}]}, None),
        ({"coding": {"code": "a"}}, None),
        ({"text": "active"}, None),
        ("active", None),
        (None, None),
    ],
)
def test_the_code_of_a_concept_is_its_first(said: object, code: str | None) -> None:
    assert code_of(said) == code


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (concept(ANXIETY, text=" Worries "), "Worries"),
        (concept(ANXIETY), "Anxiety"),
        ({"coding": [{"code": "1"}, {"display": "Second"}]}, "Second"),
        ({"coding": [{"code": "1"}]}, "1"),
        ({"text": " ", "coding": [{"display": " "}]}, ""),
        ({}, ""),
        (None, ""),
        ("Anxiety", ""),
    ],
)
def test_a_concept_is_called_by_its_text_else_a_display_else_a_code(
    said: object, name: str
) -> None:
    assert name_of(said) == name


@pytest.mark.parametrize(
    ("days", "is_status_told", "present"),
    [(305, True, True), (306, True, False), (306, False, False), (None, True, True)],
)
def test_what_ends_by_itself_is_over_in_time_though_nobody_closed_it(
    record_of: RecordOf, days: int | None, is_status_told: bool, present: bool
) -> None:
    definition = ConditionDefinition(("weakness",), over_after=timedelta(days=305))
    onset = {"onsetDateTime": days_ago(days)} if days else {"recordedDate": ...}
    given = condition(WEAKNESS, clinical="active" if is_status_told else None, **onset)
    assert read_condition(definition, record_of(given)).present is present


@pytest.mark.parametrize(
    ("sex", "uncertain"), [("male", True), ("female", False), ("other", False), (None, False)]
)
def test_what_befalls_one_sex_is_uncertain_in_the_other(
    record_of: RecordOf, sex: str | None, uncertain: bool
) -> None:
    definition = ConditionDefinition(("weakness",), doubtful_in="male")
    fact = read_condition(definition, record_of(patient(gender=sex), condition(WEAKNESS)))
    assert (fact.present, fact.uncertain, fact.certain) == (True, uncertain, not uncertain)


@pytest.mark.parametrize(
    ("pattern", "present"), [("26544005", False), ("2654*", False), ("*6", True), ("2654", True)]
)
def test_a_code_that_says_another_thing_is_left_out(
    record_of: RecordOf, pattern: str, present: bool
) -> None:
    definition = ConditionDefinition(("weakness",), leave_out=((SNOMED_CT, pattern),))
    assert read_condition(definition, record_of(condition(WEAKNESS))).present is present
