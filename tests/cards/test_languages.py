"""Every language says the same: the same cards, indicators, order and suggestions."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.knowledge import CDSService

from . import conversations


def _outline(ehr: FlaskClient, request: object, language: str) -> list[tuple[object, ...]]:
    response = ehr.post(
        "/cds-services/anxiety-leg-weakness", json=request, headers={"Accept-Language": language}
    )
    assert response.headers["Content-Language"] == language
    return [
        (
            card["uuid"],
            card["indicator"],
            [suggestion["uuid"] for suggestion in card.get("suggestions", ())],
            [reason["code"] for reason in card["overrideReasons"]],
        )
        for card in response.get_json()["cards"]
    ]


@pytest.mark.parametrize("path", conversations.PATIENTS, ids=lambda path: path.stem)
def test_a_person_gets_the_same_cards_in_every_language(
    path: Path, ehr: FlaskClient, service: CDSService
) -> None:
    request = conversations.request(service, path)
    outlines = [_outline(ehr, request, language) for language in service.languages]
    assert all(outline == outlines[0] for outline in outlines)


def test_the_three_languages_are_there(service: CDSService) -> None:
    assert service.languages == ("en", "es", "zh-Hans")
    assert all(not words.borrowed for words in service.words.values())


@pytest.mark.parametrize(
    ("accepted", "answered"),
    [
        ("es-MX,es;q=0.9", "es"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_best_that_the_client_accepts(
    accepted: str, answered: str, ehr: FlaskClient, service: CDSService
) -> None:
    request = conversations.request(service, conversations.PATIENTS[0])
    response = ehr.post(
        "/cds-services/anxiety-leg-weakness", json=request, headers={"Accept-Language": accepted}
    )
    assert response.headers["Content-Language"] == answered
