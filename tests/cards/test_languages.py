"""Every language says the same: the same cards, indicators, order and suggestions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from markdown_it import MarkdownIt

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings

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


_MARKDOWN = MarkdownIt("commonmark")


def _is_whole_markdown(text: str) -> bool:
    """Whether no mark of bold or italic text is left over for the reader to see.

    A closing mark behind a full-width colon is none without a blank behind it (CommonMark, 6.2).
    """
    seen = re.sub(r"<[^>]+>", "", _MARKDOWN.render(text))
    return "**" not in seen and not re.search(r"(?<![\w\\])\*(?!\w)", seen)


@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_no_mark_of_markdown_is_left_in_a_text(service: CDSService, language: str) -> None:
    for (id_, part), text in service.words[language].texts.items():
        filled = "".join(piece if isinstance(piece, str) else "Xx" for piece in text.pieces)
        assert _is_whole_markdown(filled) and _is_whole_markdown(f"- {filled}"), (id_, part)


@pytest.mark.parametrize("form", ["short", "full"])
@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_no_mark_of_markdown_is_left_on_a_card(
    cards: Knowledge, service: CDSService, language: str, form: str
) -> None:
    settings = Settings(store_url="none", detail=(form,))
    today = datetime(2026, 11, 22, 12, tzinfo=UTC)
    client = create_app(settings, cards, clock=lambda: today).test_client()
    for name, request in conversations.requests(service):
        response = client.post(
            "/cds-services/anxiety-leg-weakness",
            json=request,
            headers={"Accept-Language": language},
        )
        for card in response.get_json().get("cards", ()):
            assert _is_whole_markdown(card["detail"]), name
