"""CodeableConcepts as records write them."""

from __future__ import annotations

from typing import Any

import pytest
from resources import LORAZEPAM, concept, order

from cds_service.knowledge.record.fhir_json import (
    concerns_no_medicine,
    id_of,
    is_understood,
    may_be_in_force,
    medication_concepts,
    says_nothing,
    substances_of,
)
from cds_service.knowledge.record.terminology import ATC, RXNORM, SNOMED_CT, Match

NO_SETS = frozenset[str]()
MEDICATION = {"resourceType": "Medication", "id": "m1", "code": concept(LORAZEPAM)}


@pytest.mark.parametrize(
    "said",
    [
        {"text": "a pill"},
        {"coding": [{"code": "1"}]},
        {"coding": [{"display": "a pill"}]},
        {"coding": [None, {"system": "urn:local", "code": "1"}]},
    ],
)
def test_a_code_or_words_say_something(said: dict[str, Any]) -> None:
    assert not says_nothing(said)


@pytest.mark.parametrize(
    "mute",
    [
        *({}, {"text": " "}, {"text": 1}, {"coding": []}, {"coding": [{}]}, {"coding": "1"}),
        {"coding": [{"system": "urn:local"}]},
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    "code": "unknown",
                }
            ]
        },
    ],
)
def test_a_concept_without_code_and_words_says_nothing(mute: dict[str, Any]) -> None:
    assert says_nothing(mute)


@pytest.mark.parametrize("system", [RXNORM, ATC])
@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationStatement", "AllergyIntolerance"])
def test_only_complete_drug_systems_tell_that_a_medicine_is_none_of_ours(
    kind: str, system: str
) -> None:
    assert is_understood(kind, Match(NO_SETS, NO_SETS, frozenset({system, SNOMED_CT})))
    assert not is_understood(kind, Match(NO_SETS, NO_SETS, frozenset({SNOMED_CT})))
    assert not is_understood(kind, Match(NO_SETS, NO_SETS))


def test_a_problem_in_a_system_that_is_spoken_is_understood() -> None:
    assert is_understood("Condition", Match(NO_SETS, NO_SETS, frozenset({SNOMED_CT})))
    assert not is_understood("Condition", Match(NO_SETS, NO_SETS))


def test_what_is_named_and_denied_is_understood() -> None:
    assert is_understood("Condition", Match(NO_SETS, NO_SETS, denied=frozenset({"falls"})))


def test_the_substances_of_reactions_are_what_an_allergy_names() -> None:
    reaction = {"substance": {"text": "Sertraline"}}
    odd = [None, {}, {"substance": "x"}, {"substance": {}}, reaction]
    assert substances_of({"reaction": odd}) == [{"text": "Sertraline"}]
    assert substances_of({"reaction": "rash"}) == []


@pytest.mark.parametrize(
    ("categories", "is_none"),
    [
        (["food"], True),
        (["environment", "food"], True),
        (["medication"], False),
        (["food", "biologic"], False),
        ([], False),
        (None, False),
        ("food", False),
    ],
)
def test_an_allergy_of_other_categories_concerns_no_medicine(
    categories: object, is_none: bool
) -> None:
    assert concerns_no_medicine({"category": categories}) is is_none


@pytest.mark.parametrize(
    ("status", "may"),
    [
        *(("active", True), ("on-hold", True), ("unknown", True), ("draft", True), (None, True)),
        *(("completed", False), ("stopped", False), ("cancelled", False), ("not-taken", False)),
        ("entered-in-error", False),
    ],
)
def test_an_unreadable_order_may_hide_a_medicine_unless_it_is_over(
    status: str | None, may: bool
) -> None:
    assert may_be_in_force({"status": status}) is may
    assert not may_be_in_force({"status": status, "doNotPerform": True})


def test_an_order_names_its_own_concept_first() -> None:
    both = order(medicationReference={"reference": "Medication/m1"})
    assert medication_concepts(both, {"m1": MEDICATION}) == [concept(LORAZEPAM)]


@pytest.mark.parametrize(
    "reference",
    [
        *("Medication/m1", "Medication/m1/_history/3", "urn:uuid:m1", "m1"),
        *("https://fhir.example.org/r4/Medication/m1", "urn:oid:m1"),
    ],
)
def test_a_medication_is_found_by_any_kind_of_reference(reference: str) -> None:
    referring = order(medicationCodeableConcept=..., medicationReference={"reference": reference})
    assert medication_concepts(referring, {"m1": MEDICATION}) == [MEDICATION["code"]]


def test_a_contained_medication_is_found_with_its_ingredients() -> None:
    contained = {**MEDICATION, "ingredient": [{"itemCodeableConcept": {"text": "morphine"}}]}
    referring = order(
        medicationCodeableConcept=...,
        medicationReference={"reference": "#m1"},
        contained=[None, {"id": "m0"}, contained],
    )
    assert medication_concepts(referring, {}) == [MEDICATION["code"], {"text": "morphine"}]


def test_a_medication_that_did_not_come_is_known_by_the_display_of_its_reference() -> None:
    referring = order(
        medicationCodeableConcept=...,
        medicationReference={"reference": "Medication/m2", "display": "Lorazepam 1 mg"},
    )
    assert medication_concepts(referring, {}) == [{"text": "Lorazepam 1 mg"}]


@pytest.mark.parametrize(
    "reference",
    [
        *(None, "Medication/m1", [], {}, {"reference": 1}, {"reference": "#"}),
        *({"reference": "Medication/m2", "display": " "}, {"display": 1}),
    ],
)
def test_a_reference_to_nothing_names_nothing(reference: object) -> None:
    referring = order(medicationCodeableConcept=..., medicationReference=reference)
    assert medication_concepts(referring, {}) == []


@pytest.mark.parametrize(
    ("reference", "identifier"),
    [
        ("Patient/ada", "ada"),
        ("https://fhir.example.org/Patient/ada", "ada"),
        ("https://fhir.example.org/Patient/ada/_history/7", "ada"),
        ("urn:uuid:1f0e", "1f0e"),
        ("ada", "ada"),
        ("", ""),
    ],
)
def test_the_id_of_a_reference(reference: str, identifier: str) -> None:
    assert id_of(reference) == identifier
