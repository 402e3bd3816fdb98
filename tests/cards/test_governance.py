"""Who answers for what: nothing is signed, and nothing says that it is."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.errors import KnowledgeError
from cds_service.knowledge import Service, load

from .conversations import FIXTURES

PROJECT = FIXTURES.parent


def test_nothing_is_signed_off_and_discovery_says_so(service: Service) -> None:
    assert {item.status for item in service.governed.values()} == {"draft"}
    assert {item.reviewer for item in service.governed.values()} == {None}
    assert "not clinically signed off" in service.usage_requirements


def test_every_card_says_that_it_is_a_draft(service: Service) -> None:
    assert "not clinically signed off" in service.words["en"].plain("layout", "footer")


def test_every_item_has_a_source_that_is_listed(service: Service) -> None:
    for id_, item in service.governed.items():
        assert item.sources, id_
        assert set(item.sources) <= set(service.sources), id_


def test_the_knowledge_is_sound_on_the_day_it_was_reviewed() -> None:
    assert load(PROJECT / "cards", thorough_on=date(2026, 11, 22)).services


def test_an_overdue_review_is_a_problem() -> None:
    with pytest.raises(KnowledgeError, match="was due for review on 2027-11-22"):
        load(PROJECT / "cards", thorough_on=date(2027, 11, 23))
