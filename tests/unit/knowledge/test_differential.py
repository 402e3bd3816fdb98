"""The detail of the information card: causes with support, what is withheld, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from resources import (
    ANXIETY,
    DIAZEPAM,
    DUE_DATE,
    LORAZEPAM,
    MORPHINE,
    WEAKNESS,
    WORRY_ANSWER,
    allergy,
    call,
    concept,
    condition,
    days_ago,
    observation,
    order,
    patient,
    worry_score,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Resource, Retrieval

OPEN = (patient(), condition(ANXIETY, id="c1"), condition(WEAKNESS, id="c2"))
BOTH_DRUGS = (order(LORAZEPAM), order(MORPHINE))


@pytest.fixture
def cards(tiny: CDSService) -> Any:
    def make(*given: Resource, service: CDSService = tiny, **members: Any) -> tuple[Card, ...]:
        return service.answer(call(*given, **members)).cards

    return make


def test_without_a_cause_the_card_says_so(cards: Any, tiny: CDSService) -> None:
    (card,) = cards(*OPEN, service=replace(tiny, least_points=9))
    assert card.summary == "Weakness with anxiety: no listed cause."
    assert "**Causes**" not in card.detail


def test_causes_beyond_the_limit_are_only_named(cards: Any, tiny: CDSService) -> None:
    (card,) = cards(*OPEN, worry_score(12), service=replace(tiny, most_causes=1))
    assert "- Less support: Tension, as a pattern of worry" in card.detail
    assert "Tension tires legs." not in card.detail


def test_what_is_missing_is_named(cards: Any) -> None:
    (card,) = cards(*OPEN, observation(4.0, days=40), states={"surveys": Retrieval.FAILED})
    assert "- out of date: potassium 4 of 2026-10-13" in card.detail
    assert "- not retrieved: worry score" in card.detail
    assert "- missing:" not in card.detail


def test_a_withheld_class_is_named_with_its_reason_and_never_offered(cards: Any) -> None:
    (card,) = cards(*OPEN, worry_score(12), order(MORPHINE))
    assert "- **Calming:** an opioid is on record (morphine)" in card.detail
    assert "Lorazepam" not in card.detail and "Diazepam" not in card.detail


def test_a_withheld_drug_is_named_beside_those_that_remain(cards: Any) -> None:
    (card,) = cards(*OPEN, worry_score(12), allergy(DIAZEPAM))
    assert "      - Lorazepam" in card.detail
    assert "- **Diazepam:** allergy on record" in card.detail
    assert "      - **Allergy:** diazepam" in card.detail


def test_a_class_for_the_first_cause_only_is_kept_back_elsewhere(
    cards: Any, tiny: CDSService
) -> None:
    given = (*OPEN, condition(WEAKNESS, onsetDateTime=days_ago(300)), worry_score(12))
    (card,) = cards(*given)
    assert card.summary == "Weakness with anxiety: tension has most support."
    assert "- **Calming:** worry is not the first cause" in card.detail
    assert "Lorazepam" not in card.detail


def test_a_measure_that_is_advised_against_is_never_offered(cards: Any) -> None:
    assert all("Bleeding" not in card.detail for card in cards(*OPEN, worry_score(12)))


def test_a_cause_kept_off_the_list_is_named_with_its_reason(cards: Any) -> None:
    _, card = cards(*OPEN, worry_score(12), observation(3.0))
    assert "- **Worry:** potassium is low" in card.detail
    (card,) = cards(patient(), condition({"text": "anxiety"}), OPEN[2], worry_score(12))
    assert "- **Worry:** anxiety is not certain" in card.detail


def test_a_line_stands_in_its_section_only_while_its_condition_holds(cards: Any) -> None:
    due = observation(..., DUE_DATE, valueDateTime=days_ago(-100))
    answer = observation(
        ...,
        WORRY_ANSWER,
        valueCodeableConcept=concept(("http://loinc.org", "LA6571-9", "Several days")),
    )
    (without,) = cards(*OPEN, due)
    (with_answer,) = cards(*OPEN, due, answer)
    assert "**Pregnancy:**" not in without.detail
    assert "- **Pregnancy:** birth in 100 days" in with_answer.detail


def test_slots_that_a_rule_closes_stay_empty(cards: Any) -> None:
    due = observation(..., DUE_DATE, valueDateTime=days_ago(-100))
    assert [card.indicator for card in cards(*OPEN, due, *BOTH_DRUGS)] == ["info"]


def test_a_note_stands_under_its_cause_while_it_holds(cards: Any) -> None:
    (card,) = cards(*OPEN, order(LORAZEPAM))
    assert "  - A sedative is taken." in card.detail
