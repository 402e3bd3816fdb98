"""The short text of the information card, and what both texts tell of findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card
from cds_service.playground.records import as_retrieved, patient_id, read_resources

from .conversations import CALL, PATIENTS

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
Differentials = Callable[[str, bool], dict[str, Card]]
LANGUAGES = ("en", "es", "zh-Hans")


def _cards(service: CDSService, path: Path, language: str, *, is_short: bool) -> tuple[Card, ...]:
    resources = read_resources(path)
    call = replace(
        CALL,
        retrieved=as_retrieved(resources, service.prefetch),
        patient_id=patient_id(resources),
        language=language,
        is_short=is_short,
    )
    return service.answer(call).cards


def _length(text: str) -> float:
    """The number of words; two Chinese characters count as one."""
    characters = len(_CHINESE.findall(text))
    return characters / 2 + len(re.findall(r"[^\W_][\w.-]*", _CHINESE.sub(" ", text)))


@pytest.fixture(scope="module")
def differentials(service: CDSService) -> Differentials:
    """The information card of each person, by language and form."""

    @cache
    def said(language: str, is_short: bool) -> dict[str, Card]:
        return {
            path.stem: card
            for path in PATIENTS
            for card in _cards(service, path, language, is_short=is_short)
            if card.slot == "differential"
        }

    return said


def test_it_is_read_in_ten_seconds(differentials: Differentials) -> None:
    words = [_length(card.detail) for card in differentials("en", True).values()]
    assert len(words) > 30
    assert median(words) <= 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_is_read_in_fifteen_seconds(
    differentials: Differentials, language: str
) -> None:
    words = {stem: _length(card.detail) for stem, card in differentials(language, True).items()}
    assert {stem: length for stem, length in words.items() if length > 220} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_rule_says_of_a_danger_is_read_in_six_seconds(
    service: CDSService, language: str
) -> None:
    """At most 95 words a rule; R72 also has the intervals between antidepressants and MAOIs."""
    longest = {
        card.rules: _length(card.detail.rpartition("\n\n")[0]) / len(card.rules)
        for path in PATIENTS
        for card in _cards(service, path, language, is_short=True)
        if card.indicator != "info"
    }
    assert len(longest) > 20
    too_long = {rules for rules, length in longest.items() if length > 95}
    assert too_long <= {("R72",)}
    assert longest["R72",] <= 110


def test_most_of_it_is_about_this_patient(differentials: Differentials) -> None:
    details = [card.detail.split("\n") for card in differentials("en", True).values()]
    frequency = Counter(line for lines in details for line in set(lines))
    shares = [
        sum(len(line.split()) for line in lines if frequency[line] <= 0.4 * len(details))
        / sum(len(line.split()) for line in lines)
        for lines in details
    ]
    assert median(shares) >= 0.6


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_what_the_full_text_names(
    service: CDSService, differentials: Differentials, language: str
) -> None:
    """The same causes, rules in force for this patient and drugs: nothing is lost but prose."""
    everybody = {rule.id for rule in service.rules if rule.is_for_everybody}
    short = differentials(language, True)
    for stem, full in differentials(language, False).items():
        assert set(full.rules) - set(short[stem].rules) <= everybody, stem
        assert short[stem].summary == full.summary
        for drug in service.drugs:
            title = service.words[language].plain(drug, "title")
            assert title in short[stem].detail or title not in full.detail, (stem, drug)


@pytest.mark.parametrize("is_short", [False, True])
def test_the_headings_and_the_last_line_stand_in_both_texts(
    differentials: Differentials, is_short: bool
) -> None:
    detail = differentials("en", is_short)["ada-generalised-anxiety"].detail
    assert "**Drug classes for clinician review**" in detail
    assert "**Without drugs**" in detail
    assert detail.split("\n")[-1].endswith("C2")


@pytest.mark.parametrize("is_short", [False, True])
def test_the_anxiety_card_never_forgets_the_finding(
    differentials: Differentials, is_short: bool
) -> None:
    card = differentials("en", is_short)["amara-haemoglobin-86"]
    assert card.summary.startswith("Haemoglobin 86 g/L")
    assert "Then: Generalised anxiety disorder" in card.summary
    assert "- **Haemoglobin 86 g/L (2026-11-17) may explain fatigue" in card.detail
