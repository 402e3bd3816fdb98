"""Every mistake in cards/ is told with its file and key, all at once, before anything is served.

Each file in tests/bad_cards holds one mistake: what is edited in tests/tiny_cards and the exact
problems that must come of it, without anything that only follows from it.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import commands
import pytest
import yaml

from cds_service.errors import KnowledgeError
from cds_service.knowledge import CDSService, load
from cds_service.knowledge.content.words import parse_text

from .conftest import TINY_CARDS

BAD_CARDS = TINY_CARDS.parent / "bad_cards"
TODAY = date(2026, 11, 22)
MISTAKES = sorted(BAD_CARDS.glob("*.yaml"))


def edit(folder: Path, change: dict[str, Any]) -> None:
    path = folder / change["file"]
    if change.get("delete"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if "append" in change:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + change["append"], encoding="utf-8")
        return
    assert text.count(change["find"]) >= 1, f"{change['find']} does not stand in {path.name}"
    changed = text.replace(change["find"], change["replace"], 1)
    path.write_text(changed, encoding=change.get("encoding", "utf-8"))


def problems_of(folder: Path, *, thorough: bool = False) -> list[str]:
    try:
        load(folder, thorough_on=TODAY if thorough else None)
    except KnowledgeError as error:
        return list(error.problems)
    return []


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A copy of the small knowledge to make mistakes in."""
    return Path(shutil.copytree(TINY_CARDS, tmp_path / "cards"))


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told_with_file_and_key(cards: Path, path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    for change in case["edits"]:
        edit(cards, change)
    assert problems_of(cards, thorough=case.get("thorough", False)) == case["problems"]
    if not case.get("thorough"):
        # The thorough check adds nothing that only follows from the mistake.
        assert problems_of(cards, thorough=True) == case["problems"]


@pytest.mark.parametrize("name", ["overdue-review", "wrong-check-digit", "unused-value-set"])
def test_what_is_only_looked_at_thoroughly_does_not_stop_a_start(cards: Path, name: str) -> None:
    case = yaml.safe_load((BAD_CARDS / f"{name}.yaml").read_text(encoding="utf-8"))
    for change in case["edits"]:
        edit(cards, change)
    assert problems_of(cards) == []


def test_an_empty_folder_is_no_knowledge(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    assert problems_of(tmp_path / "cards") == [
        "cards/record-text.yaml: the file is missing",
        "cards/code-systems.yaml: the file is missing",
        "cards/statuses.yaml: the file is missing",
        "cards/quantities.yaml: the file is missing",
        "cards/references.yaml: the file is missing",
        "cards/guards.yaml: the file is missing",
    ]


def test_the_error_shows_one_problem_a_line(cards: Path) -> None:
    (cards / "quantities.yaml").unlink()
    with pytest.raises(KnowledgeError) as caught:
        load(cards)
    assert str(caught.value).splitlines() == list(caught.value.problems)


def test_the_small_knowledge_is_sound(tiny: CDSService) -> None:
    assert problems_of(TINY_CARDS, thorough=True) == []
    assert (tiny.id, tiny.hook, tiny.version) == ("legs", "patient-view", "tiny-1")
    assert tiny.languages == ("en", "es")
    assert (tiny.title, tiny.usage_requirements) == ("Legs", "For tests.")


def test_templates_ask_for_the_codes_of_the_facts_that_read_them(tiny: CDSService) -> None:
    start = "Observation?patient={{context.patientId}}"
    assert tiny.prefetch["laboratory"] == f"{start}&code=11778-8,2823-3,6298-4"
    assert tiny.prefetch["surveys"] == f"{start}&code=69725-0,70274-6"
    assert tiny.prefetch["conditions"] == "Condition?patient={{context.patientId}}"


def test_a_new_code_comes_into_the_template_by_itself(cards: Path) -> None:
    old = '"code": "6298-4"'
    new = f'"code": "75940-7"}}, {{{old}'
    edit(cards, {"file": "value-sets/potassium.json", "find": old, "replace": new})
    template = load(cards).services["legs"].prefetch["laboratory"]
    assert template.endswith("code=11778-8,2823-3,6298-4,75940-7")


def test_facts_may_stand_in_any_order_and_in_several_files(cards: Path) -> None:
    edit(cards, {"file": "legs/facts.yaml", "find": "age: {patient: age}\n", "replace": ""})
    edit(cards, {"file": "legs/facts/more.yaml", "append": "age: {patient: age}\n"})
    assert problems_of(cards, thorough=True) == []


def _lose_a_translation(cards: Path) -> None:
    lost = {"find": "## pregnant\nes: pregnancy on record\n", "replace": ""}
    edit(cards, {"file": "legs/words/es/rules.md", **lost})


def test_a_draft_without_a_translation_is_shown_in_the_default_language(cards: Path) -> None:
    _lose_a_translation(cards)
    service = load(cards).services["legs"]
    spanish = service.words["es"]
    assert spanish.plain("S6", "pregnant") == "[en] pregnancy on record"
    assert spanish.borrowed == {("S6", "pregnant")}
    assert service.words["en"].borrowed == frozenset()


def test_every_line_up_to_one_that_is_always_there_is_marked() -> None:
    text = parse_text(
        "Potassium {{ potassium }}\n\n- Before {{ potassium.previous }}\n- Why\n- More"
    )
    assert text.marked("en") == parse_text(
        "[en] Potassium {{ potassium }}\n\n"
        "- [en] Before {{ potassium.previous }}\n- [en] Why\n- More"
    )


def test_check_counts_what_is_not_translated(cards: Path) -> None:
    _lose_a_translation(cards)
    result = commands.run("check", CDS_CARDS_DIR=str(cards))
    assert "languages en, es (not translated: 1): sound" in result.stdout


def test_a_third_language_is_guarded_as_soon_as_it_has_one_text(cards: Path) -> None:
    words = cards / "legs" / "words"
    shutil.copytree(words / "en", words / "zh-Hans", ignore=shutil.ignore_patterns("rules.md"))
    text = "# S6\n\n## pregnant\n今天停用文拉法辛 75 mg，并开始劳拉西泮 1 mg\n"
    edit(cards, {"file": "legs/words/zh-Hans/rules.md", "append": text})
    start = "cards/legs/words/zh-Hans/rules.md:3: S6 pregnant: must not say a dose or an order:"
    said = ("75 mg", "1 mg", "停用文拉法辛 75 mg", "开始劳拉西泮 1 mg")
    assert problems_of(cards) == [f"{start} {'; '.join(said)}"]
