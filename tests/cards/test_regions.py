"""Licence lines follow the region of the site, not the language of the card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cds_service.current_knowledge import switched
from cds_service.knowledge import Knowledge
from cds_service.knowledge.cards.rendering import render
from cds_service.knowledge.loading.examples import ExampleFacts
from cds_service.knowledge.outcomes.evaluation import assess
from cds_service.settings import Settings

from .conversations import CALL

# A crisis of severe anxiety, for which benzodiazepines are named.
_CRISIS = {
    **{"anxiety_condition": True, "anxiety_state": True, "severe_anxiety_crisis": True},
    **{"gad7": 16, "stressor": True, "arousal": True, "limb_weakness": True},
    **{"potassium": 4.2, "sodium": 140, "glucose": 5.2, "haemoglobin": 140, "tsh": 1.8},
}


def _detail(cards: Knowledge, region: str, language: str) -> str:
    service = switched(cards, Settings(region=region)).services["anxiety-leg-weakness"]
    evaluation = assess(service, [ExampleFacts(service.facts, _CRISIS)])
    (card,) = render(service, evaluation, replace(CALL, language=language))
    return card.detail


@pytest.mark.parametrize(
    "region, language, line",
    [
        ("", "en", "The licence differs by country"),
        ("DE", "en", "The licence differs by country"),
        ("US", "es", "Ficha técnica de EE. UU. solo para el tratamiento a corto plazo"),
        ("GB", "zh-Hans", "英国未上市"),
        ("cn", "en", "Labelled in China for anxiety and insomnia"),
        ("CN", "zh-Hans", "国内说明书用于抗焦虑和失眠"),
    ],
)
def test_the_licence_of_estazolam_is_that_of_the_region(
    cards: Knowledge, region: str, language: str, line: str
) -> None:
    assert line in _detail(cards, region, language)


@pytest.mark.parametrize("region, others", [("CN", ("US", "UK")), ("GB", ("US", "China"))])
def test_no_licence_line_names_another_country(
    cards: Knowledge, region: str, others: tuple[str, ...]
) -> None:
    lines = _detail(cards, region, "en").partition("Drug classes")[2].split("\n")
    labels = [line for line in lines if "label" in line.lower() or "market" in line]
    assert len(labels) > 4
    assert [line for line in labels if any(f"{other} " in line for other in others)] == []
