"""One pass over the resources: what is indexed, what is set aside and counted."""

from __future__ import annotations

from typing import Any

import pytest
from resources import (
    ANXIETY,
    LORAZEPAM,
    MORPHINE,
    POTASSIUM,
    WEAKNESS,
    allergy,
    call,
    concept,
    condition,
    encounter,
    observation,
    order,
    patient,
    quantity,
    statement,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.record.fhir_json import reference_of
from cds_service.knowledge.record.lists import OTHER_PATIENT, OTHER_VERSION, UNREADABLE
from cds_service.knowledge.record.record import PatientRecord

from .conftest import FactsOf, RecordOf

MEDICATION = {"resourceType": "Medication", "id": "m1", "code": concept(MORPHINE)}


def found(record: PatientRecord, kind: str, *value_sets: str) -> list[str]:
    return [each.resource["id"] for each in record.statements(kind, value_sets)]


def test_a_resource_is_found_by_kind_and_value_set(record_of: RecordOf) -> None:
    record = record_of(condition(ANXIETY, id="c1"), allergy(id="a1"), order(id="o1"))
    assert found(record, "Condition", "anxiety") == ["c1"]
    assert found(record, "Condition", "weakness") == []
    assert found(record, "AllergyIntolerance", "sedatives") == ["a1"]
    assert found(record, "MedicationRequest", "sedatives", "lorazepam") == ["o1"]


def test_a_resource_in_two_value_sets_is_one_statement(record_of: RecordOf) -> None:
    code = concept(ANXIETY, WEAKNESS)
    assert found(record_of(condition(code, id="c1")), "Condition", "anxiety", "weakness") == ["c1"]


def test_a_statement_says_where_it_stands(record_of: RecordOf) -> None:
    (one,) = record_of(condition(id="c1")).statements("Condition", ["anxiety"])
    assert reference_of(one.resource) == "Condition/c1"


def test_a_resource_under_two_prefetch_keys_is_read_once(record_of: RecordOf) -> None:
    same = condition(id="c1")
    assert found(record_of(same, dict(same)), "Condition", "anxiety") == ["c1"]


def test_resources_without_an_id_are_all_read(record_of: RecordOf) -> None:
    record = record_of(condition(id=...), condition(id=...))
    assert len(record.statements("Condition", ["anxiety"])) == 2


def test_the_same_id_of_another_kind_is_another_resource(record_of: RecordOf) -> None:
    record = record_of(order(id="x"), statement(id="x"))
    assert found(record, "MedicationRequest", "sedatives") == ["x"]
    assert found(record, "MedicationStatement", "sedatives") == ["x"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (condition(subject={"reference": "Patient/bob"}), "Condition"),
        (observation(subject={"reference": "https://x.example.org/Patient/bob"}), "Observation"),
        (allergy(patient={"reference": "Patient/bob"}), "AllergyIntolerance"),
        (order(subject={"reference": "urn:uuid:bob"}), "MedicationRequest"),
    ],
)
def test_what_is_about_another_patient_is_counted_not_read(
    record_of: RecordOf, given: Resource, kind: str
) -> None:
    record = record_of(given)
    assert [each.why for each in record.unread(kind)] == [OTHER_PATIENT]
    assert list(record.keys) == []


@pytest.mark.parametrize(
    "reference",
    [
        *("Patient/ada", "https://fhir.example.org/Patient/ada", "urn:uuid:ada"),
        "Patient/ada/_history/2",
    ],
)
def test_every_kind_of_reference_to_the_patient_is_known(
    record_of: RecordOf, reference: str
) -> None:
    record = record_of(condition(id="c1", subject={"reference": reference}))
    assert found(record, "Condition", "anxiety") == ["c1"]


@pytest.mark.parametrize("kind", ["replaces", "replaced-by", " Replaces"])
def test_the_other_id_of_a_merged_patient_is_this_patient(record_of: RecordOf, kind: str) -> None:
    link = {"other": {"reference": "Patient/eve"}, "type": kind}
    theirs = condition(id="c1", subject={"reference": "Patient/eve"})
    for links in ([link], link):
        record = record_of(theirs, patient(link=links))
        assert found(record, "Condition", "anxiety") == ["c1"]


@pytest.mark.parametrize(
    "link",
    [
        {"other": {"reference": "Patient/eve"}, "type": "seealso"},
        {"other": {"reference": "Patient/eve"}},
        *({"other": "Patient/eve", "type": "replaces"}, "Patient/eve", None),
    ],
)
def test_no_other_link_makes_two_people_one(record_of: RecordOf, link: object) -> None:
    theirs = condition(id="c1", subject={"reference": "Patient/eve"})
    assert found(record_of(patient(link=[link]), theirs), "Condition", "anxiety") == []


def test_one_object_where_a_list_belongs_is_its_only_item(record_of: RecordOf) -> None:
    part = {"code": concept(POTASSIUM), "valueQuantity": quantity(2.2)}
    record = record_of(observation(code={"text": "Panel"}, component=part))
    assert len(record.statements("Observation", ["potassium"])) == 1


def test_another_patients_resource_is_not_the_patient(record_of: RecordOf) -> None:
    assert record_of(patient(id="bob")).patient is None
    assert record_of(patient(id="bob"), patient()).patient == patient()


@pytest.mark.parametrize(
    "members",
    [
        {"medicationReference": {"reference": "#m1"}, "contained": [MEDICATION]},
        {"medicationReference": {"reference": "Medication/m1"}},
        {"medicationReference": {"reference": "urn:uuid:m1"}},
        {"medicationReference": {"reference": "Medication/m1/_history/4"}},
        {"medicationReference": {"reference": "https://x.example.org/fhir/Medication/m1"}},
        {"medicationReference": {"reference": "Medication/gone", "display": "Morphine 10 mg"}},
    ],
)
def test_the_medication_of_an_order_is_found_wherever_it_is(
    record_of: RecordOf, members: dict[str, Any]
) -> None:
    record = record_of(order(medicationCodeableConcept=..., id="o1", **members), MEDICATION)
    assert found(record, "MedicationRequest", "opioids") == ["o1"]


def test_a_medication_may_come_after_its_order_or_before(record_of: RecordOf) -> None:
    referring = order(
        medicationCodeableConcept=..., medicationReference={"reference": "Medication/m1"}, id="o1"
    )
    for resources in ((MEDICATION, referring), (referring, MEDICATION)):
        assert found(record_of(*resources), "MedicationRequest", "opioids") == ["o1"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (condition(clinicalStatus="active"), "Condition"),
        (condition(dateRecorded="2016-01-01"), "Condition"),
        (allergy(clinicalStatus="active"), "AllergyIntolerance"),
        (order(medicationCodeableConcept=..., medication={"concept": {}}), "MedicationRequest"),
        (order(resourceType="MedicationOrder"), "MedicationRequest"),
        (statement(medication={"concept": concept(LORAZEPAM)}), "MedicationStatement"),
    ],
)
def test_the_shape_of_another_fhir_version_is_counted(
    record_of: RecordOf, given: Resource, kind: str
) -> None:
    assert [each.why for each in record_of(given).unread(kind)] == [OTHER_VERSION]


def test_what_is_coded_as_in_r4_counts_whatever_the_version(facts_of: FactsOf) -> None:
    assert facts_of(condition(clinicalStatus="active"))["anxiety"].present is True
    assert facts_of(condition(clinicalStatus="resolved"))["anxiety"].present is not True
    assert facts_of(allergy(clinicalStatus="active"))["sedative_allergy"].present is True


@pytest.mark.parametrize(
    ("given", "fact"),
    [
        (condition(WEAKNESS, clinicalStatus="active"), "anxiety"),
        (order(medicationCodeableConcept=..., medication={"concept": {}}), "opioid"),
        (allergy(MORPHINE, clinicalStatus="active"), "sedative_allergy"),
    ],
)
def test_what_is_absent_from_a_list_in_another_version_is_unknown(
    facts_of: FactsOf, given: Resource, fact: str
) -> None:
    assert facts_of(given)[fact].present is None


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (condition(code={}), "Condition"),
        (condition(code=...), "Condition"),
        (condition(code=[1]), "Condition"),
        (condition({"text": "a broken arm"}), "Condition"),
        (condition(("urn:local", "1", "a broken arm")), "Condition"),
        (allergy({"text": "a thing"}), "AllergyIntolerance"),
        (order({"text": "a pill"}), "MedicationRequest"),
        (order(medicationCodeableConcept=...), "MedicationRequest"),
        (order(medicationCodeableConcept={}), "MedicationRequest"),
        (statement({"text": "a pill"}), "MedicationStatement"),
        (condition(modifierExtension=[{"url": "urn:x"}]), "Condition"),
        (observation(modifierExtension=[{"url": "urn:x"}]), "Observation"),
        (order(modifierExtension=[{"url": "urn:x"}]), "MedicationRequest"),
    ],
)
def test_what_cannot_be_understood_is_counted_as_unreadable(
    record_of: RecordOf, given: Resource, kind: str
) -> None:
    record = record_of(given)
    assert [each.why for each in record.unread(kind)] == [UNREADABLE]
    assert list(record.keys) == []


@pytest.mark.parametrize(
    "given",
    [
        condition((ANXIETY[0], "125605004", "a broken arm")),
        condition({"text": "a broken arm"}, clinical="resolved"),
        condition({"text": "no anxiety"}),
        observation(4, {"text": "a thing"}),
        order({"text": "a pill"}, status="completed"),
        order({"text": "a pill"}, doNotPerform=True),
        order((LORAZEPAM[0], "161", "acetaminophen")),
        allergy({"text": "peanuts"}, category=["food"]),
        encounter({"text": "a cold"}),
    ],
)
def test_what_is_understood_to_be_something_else_is_not_counted(
    record_of: RecordOf, given: Resource
) -> None:
    record = record_of(given)
    kind = given["resourceType"]
    assert (record.unread(kind), list(record.keys)) == ([], [])


def test_a_component_with_a_modifier_that_is_not_understood_is_not_read(
    facts_of: FactsOf,
) -> None:
    component = {
        "code": concept(POTASSIUM),
        "valueQuantity": quantity(2.0),
        "modifierExtension": [{"url": "urn:not-really"}],
    }
    panel = observation(..., {"text": "a panel"}, component=[component])
    assert facts_of(panel)["potassium"].value is None


def test_an_order_not_to_give_a_medicine_is_no_order(facts_of: FactsOf) -> None:
    assert facts_of(order(doNotPerform=True))["sedative"].active is False


def test_future_results_and_orders_are_counted(record_of: RecordOf) -> None:
    record = record_of(
        observation(days=-3), observation(days=3), order(days=-3), observation(days=-1)
    )
    assert record.count_future(["Observation"]) == 1
    assert record.count_future(["Observation", "MedicationRequest"]) == 2


@pytest.mark.parametrize(
    ("state", "is_complete"),
    [
        (Retrieval.COMPLETE, True),
        (Retrieval.INCOMPLETE, False),
        (Retrieval.FAILED, False),
        (Retrieval.ABSENT, False),
        (Retrieval.NEVER_GIVEN, False),
        (Retrieval.MISSING, False),
    ],
)
def test_only_a_whole_list_lets_absence_be_inferred(
    record_of: RecordOf, facts_of: FactsOf, state: Retrieval, is_complete: bool
) -> None:
    states = dict.fromkeys(("conditions", "allergies", "medicationRequests", "laboratory"), state)
    assert record_of(states=states).is_complete("conditions") is is_complete
    facts = facts_of(states=states)
    absent = False if is_complete else None
    assert facts["anxiety"].present is absent
    assert facts["sedative_allergy"].present is absent
    assert facts["sedative"].active is absent
    assert facts["potassium"].state == ("missing" if is_complete else "not-retrieved")


def test_a_key_that_is_not_mentioned_is_missing(tiny: CDSService) -> None:
    record = PatientRecord(call(states={}), tiny.terminology, tiny.statuses, tiny.lists)
    assert not record.is_complete("no-such-key")


def test_two_different_resources_of_one_id_are_both_read_and_counted(
    facts_of: FactsOf, record_of: RecordOf
) -> None:
    harmless, danger = condition(ANXIETY, id="1"), condition(WEAKNESS, id="1")
    assert facts_of(harmless, danger)["weakness"].present is True
    assert record_of(harmless, danger).sharing("Condition") == 1


def test_one_resource_under_two_keys_is_one(record_of: RecordOf) -> None:
    once, again = condition(ANXIETY, id="1"), condition(ANXIETY, id="1", meta={"versionId": "2"})
    record = record_of(once, once, again)
    assert found(record, "Condition", "anxiety") == ["1"]
    assert record.sharing("Condition") == 0


def test_an_allergy_on_the_problem_list_is_an_allergy(facts_of: FactsOf) -> None:
    assert facts_of(condition({"text": "Allergy to lorazepam"}))["sedative_allergy"].present
    assert facts_of(condition({"text": "Lorazepam"}))["sedative_allergy"].present is False
    denied = facts_of(condition({"text": "No allergy to lorazepam"}))
    assert denied["sedative_allergy"].present is False


def test_the_substance_of_a_reaction_counts_where_the_code_is_empty(facts_of: FactsOf) -> None:
    reaction = [{"substance": concept(LORAZEPAM)}]
    assert facts_of(allergy({}, reaction=reaction))["sedative_allergy"].present


def test_a_code_of_another_kind_of_resource_leaves_the_words_to_be_read(facts_of: FactsOf) -> None:
    anxiety_for_lorazepam = {"coding": [{"system": ANXIETY[0], "code": ANXIETY[1]}]}
    ordered = order({**anxiety_for_lorazepam, "text": "Lorazepam 1 mg for anxiety"})
    facts = facts_of(ordered)
    assert (facts["sedative"].active, facts["anxiety"].present) == (True, False)


def test_what_its_own_words_deny_is_uncertain(facts_of: FactsOf) -> None:
    fact = facts_of(condition({"coding": concept(ANXIETY)["coding"], "text": "no anxiety"}))
    assert (fact["anxiety"].present, fact["anxiety"].certain, fact["anxiety"].uncertain) == (
        True,
        False,
        True,
    )
