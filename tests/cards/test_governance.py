"""Who answers for what: nothing is signed, and nothing says that it is."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from commands import run
from content import CARDS, load_once

from cds_service.cli.safety_case import load_hazards
from cds_service.errors import KnowledgeError
from cds_service.knowledge import CDSService, load
from cds_service.knowledge.loading.problems import Problems
from cds_service.wire.hooks import TOKENS

from .conversations import FIXTURES

PROJECT = FIXTURES.parent


def test_nothing_is_signed_off_and_discovery_says_so(service: CDSService) -> None:
    assert {item.status for item in service.governed.values()} == {"draft"}
    assert {item.reviewer for item in service.governed.values()} == {None}
    assert "not clinically signed off" in service.usage_requirements


def test_every_card_says_that_it_is_a_draft(service: CDSService) -> None:
    assert "not clinically signed off" in service.words["en"].plain("layout", "footer")


def test_every_item_has_a_source_that_is_listed(service: CDSService) -> None:
    for id_, item in service.governed.items():
        assert item.sources, id_
        assert set(item.sources) <= set(service.sources), id_


def test_the_knowledge_is_sound_on_the_day_it_was_reviewed() -> None:
    assert load_once(CARDS, hooks=TOKENS, thorough_on=date(2026, 11, 22)).services


def test_an_overdue_review_is_a_problem() -> None:
    with pytest.raises(KnowledgeError, match="was due for review on 2027-11-22"):
        load(CARDS, thorough_on=date(2027, 11, 23))


def test_the_safety_case_is_written_from_the_hazard_log_as_it_is() -> None:
    run("safety-case", "--check")


def test_a_hazard_without_its_rule_or_test_is_a_problem(
    tmp_path: Path, service: CDSService
) -> None:
    log = (PROJECT / "cards" / service.id / "safety" / "hazards.yaml").read_text(encoding="utf-8")
    folder = tmp_path / "cards" / service.id / "safety"
    folder.mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (folder / "hazards.yaml").write_text(log.replace("R20,", "R200,"), encoding="utf-8")
    problems = Problems(folder)
    load_hazards(folder / "hazards.yaml", service, problems)
    found = [re.sub(r"\.yaml:\d+:", ".yaml:", problem) for problem in problems.found]
    assert "safety/hazards.yaml: H1: there is no rule R200" in found
    assert any("there is no test tests/" in problem for problem in problems.found)
