"""Harmless faults are repaired; faults in what is read make a resource uncertain."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from resources import (
    ANXIETY,
    LORAZEPAM,
    POTASSIUM,
    WEAKNESS,
    call,
    concept,
    condition,
    observation,
    order,
    patient,
    quantity,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.repairs import repaired
from cds_service.knowledge.record.validation import is_faulty

OPEN = (patient(), condition(ANXIETY), condition(WEAKNESS))
CODING = concept(POTASSIUM)["coding"][0]

HARMLESS: list[dict[str, Any]] = [
    {"text": {"div": 1}},
    {"meta": 7},
    {"extension": "x"},
    {"id": "an_id"},
    {"category": "laboratory"},
    {"note": "haemolysed?"},
    {"unknownMember": {"a": 1}},
    {"status": "Final"},
    {"status": " final "},
    {"code": {"coding": [{**CODING, "display": ""}]}},
    {"code": {"coding": [None, {}, CODING]}},
    {"code": {"coding": CODING}},
    {"code": [{"coding": [CODING]}]},
    {"code": {"coding": [{**CODING, "foo": "bar"}]}},
    {"interpretation": concept(("urn:x", "LL", "low"))},
    {"referenceRange": "3.5-5.1"},
    {"component": None, "issued": ""},
    {"effectivePeriod": {}},
    {"subject": ...},
    {"effectiveDateTime": "2026-11-20T08:00:00"},
    {"effectiveDateTime": " 2026-11-20 "},
]
FAULTY: list[dict[str, Any]] = [
    {"effectiveDateTime": "2026-06-31"},
    {"valueQuantity": quantity("2.4")},
    {"status": 7},
    {"subject": {"reference": 7}},
]


@pytest.mark.parametrize("members", HARMLESS, ids=str)
def test_a_harmless_fault_is_repaired(tiny: CDSService, members: dict[str, Any]) -> None:
    odd = observation(2.4, **members)
    assert not is_faulty(repaired(odd))
    (card,) = tiny.answer(call(*OPEN, odd)).cards
    assert card.indicator == "critical"


@pytest.mark.parametrize("members", FAULTY, ids=str)
def test_a_fault_in_what_is_read_makes_a_result_uncertain(members: dict[str, Any]) -> None:
    assert is_faulty(repaired(observation(2.4, **members)))


@pytest.mark.parametrize("onset", [{"year": 2024}, "in spring", 7])
def test_a_faulty_problem_counts_and_is_uncertain(tiny: CDSService, onset: Any) -> None:
    odd = condition(WEAKNESS, onsetDateTime=onset)
    (card,) = tiny.answer(call(patient(), condition(ANXIETY), odd, observation(2.4))).cards
    assert card.indicator == "critical"


def test_a_faulty_order_counts_and_is_uncertain(tiny: CDSService) -> None:
    odd = order(LORAZEPAM, authoredOn="2026-06-31")
    assert is_faulty(repaired(odd))
    assert not is_faulty(repaired(order(LORAZEPAM, intent=..., dispenseRequest="x")))


def test_nothing_of_the_record_is_changed() -> None:
    odd = observation(2.4, status="FINAL", code={"coding": [None, CODING]})
    before = repr(odd)
    assert repaired(odd)["status"] == "final"
    assert repr(odd) == before


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The type of each resource that the FHIR models looked at."""
    types: list[str] = []
    model = get_fhir_model_class("Condition")
    original = model.model_validate

    def look(value: Resource) -> object:
        types.append(value["resourceType"])
        return original(value)

    monkeypatch.setattr(model, "model_validate", look)
    return types


def test_the_library_is_asked_only_about_unusual_shapes(asked: list[str]) -> None:
    assert not is_faulty(condition(ANXIETY))
    assert asked == []
    assert not is_faulty(condition(ANXIETY, onsetAge={"value": 40, "unit": "a"}))
    assert asked == ["Condition"]
