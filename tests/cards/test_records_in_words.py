"""Whole records told in words: what must give an alarm, and what must not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import resources as made

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.terminology import SNOMED_CT
from cds_service.playground.records import as_retrieved

from .conversations import CALL


def _rules(service: CDSService, *resources: Resource) -> set[str]:
    """The rules with a critical or warning card for Ada, who is anxious and has weak legs."""
    record = [made.patient(), made.condition(), made.condition(made.WEAKNESS), *resources]
    call = replace(
        CALL, retrieved=as_retrieved(record, service.prefetch), patient_id="ada", now=made.NOW
    )
    return {
        rule
        for card in service.answer(call).cards
        if card.indicator in ("critical", "warning")
        for rule in card.rules
    }


def _written(text: str, days: float = 3) -> Resource:
    """A problem in words, written down so many days ago, without an onset."""
    return made.condition({"text": text}, recordedDate=made.days_ago(days))


@pytest.mark.parametrize(
    "text", ["DVT in 2009", "DVT (2009)", "TVP en 2012", "Beinvenenthrombose 2015"]
)
def test_a_clot_of_years_ago_is_no_clot_of_now(service: CDSService, text: str) -> None:
    assert "R25" not in _rules(service, _written(text))


@pytest.mark.parametrize("text", ["DVT", "DVT 2026", "DVT (2026-11)", "DVT, first seen in 2009"])
def test_a_clot_of_this_year_or_of_an_unsure_one_is_one_of_now(
    service: CDSService, text: str
) -> None:
    assert "R25" in _rules(service, _written(text))


@pytest.mark.parametrize(
    "text",
    [
        "Stroke",
        "Ischaemic stroke",
        "CVA",
        "Ictus",
        "ACV isquémico",
        "AVC",
        "Schlaganfall",
        "脑梗死",
    ],
)
def test_a_stroke_of_this_week_in_words_is_one(service: CDSService, text: str) -> None:
    assert "R21" in _rules(service, _written(text))
    assert "R21" not in _rules(service, _written(text, days=8))


@pytest.mark.parametrize(
    "text",
    [
        "Stroke 2012",
        "Old stroke",
        "Stroke with residual weakness",
        "Secuela de ictus",
        "脑梗死后遗症",
    ]
    + ["Mother had a stroke", "Stroke prevention", "Post-stroke fatigue"],
)
def test_a_stroke_of_the_past_or_of_another_is_none(service: CDSService, text: str) -> None:
    assert "R21" not in _rules(service, _written(text))


@pytest.mark.parametrize("code", ["373529000", "387494007", "386858008", "55452001", "387286002"])
def test_an_opioid_coded_as_a_substance_is_one(service: CDSService, code: str) -> None:
    orders = [made.order(made.LORAZEPAM), made.order((SNOMED_CT, code, ""))]
    assert "R51" in _rules(service, *orders)


@pytest.mark.parametrize(
    "text", ["SLE", "Systemic lupus erythematosus", "Lupus eritematoso sistémico"]
)
def test_lupus_is_a_disease_that_tires(service: CDSService, text: str) -> None:
    record = [made.patient(), made.condition(), made.condition(made.WEAKNESS), _written(text)]
    call = replace(
        CALL, retrieved=as_retrieved(record, service.prefetch), patient_id="ada", now=made.NOW
    )
    (card,) = service.answer(call).cards
    assert "A6" in card.rules and text in card.detail


@pytest.mark.parametrize(
    "text",
    [
        "SI with plan",
        "Cutting forearms",
        "Took 30 paracetamol tablets to die",
        "Would rather be dead",
    ]
    + ["Threatened to jump off a bridge", "Planning to shoot himself", "Quiere ahorcarse"],
)
def test_a_wish_to_die_in_the_words_of_the_clinic_is_one(service: CDSService, text: str) -> None:
    assert "R46" in _rules(service, _written(text))


@pytest.mark.parametrize(
    "text",
    ["Neighbour hanged himself", "Friend attempted suicide last week", "Her friend is suicidal"]
    + ["SI joint pain", "Denies wanting to hang himself", "Husband threatened to shoot himself"],
)
def test_the_wish_of_another_and_a_joint_are_none(service: CDSService, text: str) -> None:
    assert "R46" not in _rules(service, _written(text))


@pytest.mark.parametrize(
    "text", ["Left leg weaker than right", "Cannot rise from a chair", "Swollen painful left calf"]
)
def test_a_sign_in_a_leg_in_the_words_of_the_clinic_is_one(service: CDSService, text: str) -> None:
    assert _rules(service, _written(text)) & {"R25", "R27"}
