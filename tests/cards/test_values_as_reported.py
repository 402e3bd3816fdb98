"""Values stand on a card as the laboratory wrote them, ours in brackets behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.playground.records import as_retrieved, patient_id, read_resources

from .conversations import CALL, FIXTURES

AMARA = FIXTURES / "patients" / "amara-haemoglobin-86.json"


def _finding(service: CDSService, quantity: dict[str, Any], language: str = "en") -> Card:
    """The warning about Amara's haemoglobin, written as a quantity."""
    resources = [
        {**each, "valueQuantity": quantity} if each["id"] == "amara-haemoglobin" else each
        for each in read_resources(AMARA)
    ]
    call = replace(
        CALL,
        retrieved=as_retrieved(resources, service.prefetch),
        patient_id=patient_id(resources),
        language=language,
    )
    return next(card for card in service.answer(call).cards if card.indicator == "warning")


@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_another_unit_is_shown_first(service: CDSService, language: str) -> None:
    card = _finding(service, {"value": 8.6, "unit": "g/dL"}, language)
    assert "8.6 g/dL (86 g/L)" in card.summary
    assert "8.6 g/dL (86 g/L)" in card.detail


def test_our_own_unit_stands_alone(service: CDSService) -> None:
    card = _finding(service, {"value": 86, "unit": "g/L"})
    assert "86 g/L (2026-11-17)" in card.summary
    assert "(86 g/L)" not in card.summary + card.detail


def test_a_bound_keeps_its_sign(service: CDSService) -> None:
    card = _finding(service, {"value": 8.6, "comparator": "<", "unit": "g/dL"})
    assert "‹ 8.6 g/dL (<86 g/L)" in card.summary


def test_markup_in_a_unit_stays_text(service: CDSService) -> None:
    quantity = {
        "value": 8.6,
        "unit": "<b>g/dL</b>",
        "code": "g/dL",
        "system": "http://unitsofmeasure.org",
    }
    card = _finding(service, quantity)
    assert "(86 g/L)" in card.detail
    assert "<b>" not in card.summary + card.detail


@pytest.mark.parametrize("fact", ["creatine_kinase", "alt", "ast"])
@pytest.mark.parametrize(
    ("value", "unit"),
    [(6000, "U/L"), (6000, "IU/L"), (100, "ukat/L"), (6, "kU/L"), (6, "U/mL"), (6000, "mU/mL")],
)
def test_an_enzyme_is_read_in_every_unit_of_activity(
    service: CDSService, fact: str, value: float, unit: str
) -> None:
    definition = service.facts[fact]
    assert isinstance(definition, ObservationDefinition) and definition.quantity is not None
    assert definition.quantity.read({"valueQuantity": {"value": value, "unit": unit}}) == 6000
