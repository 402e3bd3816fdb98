"""Rules that do not speak: no card, no line, and everything that protects stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from resources import (
    ANXIETY,
    LORAZEPAM,
    MORPHINE,
    WEAKNESS,
    call,
    condition,
    observation,
    order,
    patient,
    worry_score,
)

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Resource, Retrieval
from cds_service.knowledge.outcomes.muting import can_be_muted

OPEN = (patient(), condition(ANXIETY, id="c1"), condition(WEAKNESS, id="c2"))
NO_SYMPTOM = OPEN[:2]
BOTH_DRUGS = (order(LORAZEPAM), order(MORPHINE))
LOW, VERY_LOW = observation(3.0), observation(2.4)


def answer(service: CDSService, *given: Resource, **members: Any) -> Answer:
    return service.answer(call(*given, **members))


def disabled(service: CDSService, *rules: str) -> CDSService:
    return replace(service, disabled=frozenset(rules))


def shadowed(service: CDSService, *rules: str) -> CDSService:
    return replace(service, shadow=frozenset(rules))


@pytest.mark.parametrize("switch", [disabled, shadowed])
def test_a_muted_rule_makes_no_card(tiny: CDSService, switch: Any) -> None:
    assert [card.rules[0] for card in answer(tiny, *OPEN, LOW).cards][0] == "S2"
    muted = answer(switch(tiny, "S2"), *OPEN, LOW)
    assert [card.indicator for card in muted.cards] == ["info"]
    assert all("S2" not in card.rules for card in muted.cards)


@pytest.mark.parametrize("switch", [disabled, shadowed])
def test_a_muted_rule_makes_no_line(tiny: CDSService, switch: Any) -> None:
    [said] = answer(tiny, *OPEN, observation(4.0)).cards
    [unsaid] = answer(switch(tiny, "S2"), *OPEN, observation(4.0)).cards
    assert "**Potassium:**" in said.detail
    assert "**Potassium:**" not in unsaid.detail


@pytest.mark.parametrize("switch", [disabled, shadowed])
def test_what_a_muted_rule_withholds_stays_withheld(tiny: CDSService, switch: Any) -> None:
    given = (*OPEN, worry_score(12), order(MORPHINE))
    [card] = answer(switch(tiny, "S4"), *given).cards
    assert "Lorazepam" not in card.detail
    assert "**Calming:**" in card.detail  # not listed, and why


@pytest.mark.parametrize("switch", [disabled, shadowed])
def test_a_muted_critical_card_still_silences_what_it_would_have(
    tiny: CDSService, switch: Any
) -> None:
    assert answer(switch(tiny, "S2"), *OPEN, VERY_LOW, worry_score(12)).cards == ()


def test_a_patient_whom_only_a_muted_rule_let_in_gets_no_card(tiny: CDSService) -> None:
    given = (*NO_SYMPTOM, *BOTH_DRUGS)
    assert [card.rules for card in answer(tiny, *given).cards] == [("S4",)]
    assert answer(disabled(tiny, "S4"), *given).cards == ()


def test_muting_does_not_take_away_the_card_that_says_what_was_not_checked(
    tiny: CDSService,
) -> None:
    states = {"conditions": Retrieval.INCOMPLETE}
    given = (*NO_SYMPTOM, *BOTH_DRUGS)
    [card] = answer(disabled(tiny, "S4"), *given, states=states).cards
    assert card.summary == "Legs could not be checked: the problem list came incomplete."


def test_a_disabled_rule_does_not_count_as_applied_and_a_watched_one_does(tiny: CDSService) -> None:
    assert "S2" not in answer(disabled(tiny, "S2"), *OPEN, LOW).applied
    assert "S2" in answer(shadowed(tiny, "S2"), *OPEN, LOW).applied


def test_what_a_watched_rule_would_have_shown_is_told_apart(tiny: CDSService) -> None:
    told = answer(shadowed(tiny, "S2"), *OPEN, LOW)
    [shadow] = told.shadow
    assert (shadow.indicator, shadow.rules) == ("warning", ("S2",))
    assert shadow.uuid not in {card.uuid for card in told.cards}
    assert answer(tiny, *OPEN, LOW).shadow == ()
    assert answer(disabled(tiny, "S2"), *OPEN, LOW).shadow == ()


def test_muting_nothing_changes_nothing(tiny: CDSService) -> None:
    assert answer(disabled(tiny), *OPEN, LOW) == answer(tiny, *OPEN, LOW)


def test_rules_that_protect_cannot_be_muted(tiny: CDSService) -> None:
    can = {rule.id: can_be_muted(tiny, rule) for rule in tiny.rules}
    assert can == {"S1": False, "S2": True, "S3": False, "S4": True, "S5": True, "S6": False}


def test_what_is_not_known_is_said_by_a_muted_rule_too(tiny: CDSService) -> None:
    # S3 has nothing but that, and cannot be muted by a setting; others have a card besides.
    given, states = OPEN, {"medicationRequests": Retrieval.FAILED}
    whole = answer(tiny, *given, states=states)
    assert any("S3" in card.rules for card in whole.cards)
    assert answer(disabled(tiny, "S3"), *given, states=states) == whole
