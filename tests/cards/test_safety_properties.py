"""What holds whatever the record says: the safety layer as properties over random facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from content import own_reader, own_service
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.knowledge.call import Call, Card
from cds_service.knowledge.cards.rendering import render
from cds_service.knowledge.facts.allergy import AllergyDefinition
from cds_service.knowledge.facts.condition import ConditionDefinition
from cds_service.knowledge.facts.medication import MedicationDefinition
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.knowledge.loading.examples import ExampleFacts
from cds_service.knowledge.outcomes.evaluation import Evaluation, GateState, assess
from cds_service.knowledge.outcomes.judging import judge
from cds_service.knowledge.outcomes.muting import can_be_muted, mute

from .conversations import CALL

SERVICE = own_service()
ANXIOUS = {"anxiety_condition": True, "gad": True, "gad7": 16, "fatigue": True}
CRITICAL_FIRST = ("critical", "warning", "info")


def _strategy(definition: object) -> st.SearchStrategy[Any] | None:
    if isinstance(definition, ConditionDefinition | MedicationDefinition | AllergyDefinition):
        return st.sampled_from([True, False, None])
    if isinstance(definition, ObservationDefinition) and definition.quantity is not None:
        lowest, highest = definition.quantity.plausible
        return st.one_of(st.none(), st.floats(max(lowest, 0), min(highest, 5000)))
    return None


TOLD = {
    name: strategy
    for name, each in SERVICE.facts.items()
    if (strategy := _strategy(each)) is not None
}


def _named(*kinds: type) -> list[str]:
    return sorted(name for name in TOLD if isinstance(SERVICE.facts[name], kinds))


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """Facts of an anxious patient with a few random ones more."""
    names = draw(st.lists(st.sampled_from(sorted(TOLD)), max_size=12, unique=True))
    told: dict[str, Any] = {name: draw(TOLD[name]) for name in names}
    told["age"] = draw(st.sampled_from([None, 12.0, 17.0, 18.0, 21.0, 40.0, 65.0, 90.0]))
    return {**told, **ANXIOUS}


def _facts(told: dict[str, Any]) -> ExampleFacts:
    return ExampleFacts(SERVICE.facts, told)


def _assess(told: dict[str, Any]) -> Evaluation:
    return assess(SERVICE, [_facts(told)])


def _cards(evaluation: Evaluation) -> tuple[Card, ...]:
    return render(SERVICE, evaluation, CALL)


def _offered(evaluation: Evaluation) -> set[str]:
    """The drugs that the differential shows as options."""
    detail = "".join(card.detail for card in _cards(evaluation) if card.indicator == "info")
    shown = detail.partition("**Not listed, and why**")[0]
    titles = {drug: SERVICE.words["en"].plain(drug, "title") for drug in SERVICE.drugs}
    return {drug for drug, title in titles.items() if f"      - {title}" in shown}


def _withheld(evaluation: Evaluation) -> set[str]:
    classes = {drug: id_ for id_, each in SERVICE.classes.items() for drug in each.drugs}
    return {drug for drug in SERVICE.drugs if evaluation.why_withheld("drugs", classes[drug], drug)}


@settings(max_examples=300)
@given(facts())
def test_a_withheld_drug_is_never_an_option(told: dict[str, Any]) -> None:
    evaluation = _assess(told)
    assert not _offered(evaluation) & _withheld(evaluation)


@settings(max_examples=300)
@given(facts(), st.sampled_from(_named(MedicationDefinition, AllergyDefinition)))
def test_one_more_medicine_or_allergy_never_adds_an_option(
    told: dict[str, Any], hazard: str
) -> None:
    with_it, without = _assess({**told, hazard: True}), _assess({**told, hazard: False})
    assert _offered(with_it) <= _offered(without)


MUTABLE = sorted(rule.id for rule in SERVICE.rules if can_be_muted(SERVICE, rule))


@settings(max_examples=300)
@given(facts(), st.sets(st.sampled_from(MUTABLE), max_size=8))
def test_to_mute_rules_never_adds_an_option_or_a_card(
    told: dict[str, Any], rules: set[str]
) -> None:
    spoken = _assess(told)
    muted = mute(SERVICE, spoken, rules)
    assert _offered(muted) <= _offered(spoken)
    assert (muted.withheld, muted.only_slots) == (spoken.withheld, spoken.only_slots)
    assert not {id_ for card in _cards(muted) for id_ in card.rules} & rules - _spared(spoken)


def _spared(evaluation: Evaluation) -> set[str]:
    """The rules that are named all the same: they withhold, or tell what is not known."""
    withholding = {each.rule for reasons in evaluation.withheld.values() for each in reasons}
    return withholding | {rule.id for rule in SERVICE.rules if rule.section == "missing"}


@settings(max_examples=300)
@given(facts())
def test_a_critical_finding_comes_without_causes_and_drugs(told: dict[str, Any]) -> None:
    cards = _cards(_assess(told))
    findings = [card for card in cards if card.indicator == "critical"]
    rules = {rule.id: rule for rule in SERVICE.rules}
    for card in findings:
        if any(rules[id_].slot == "finding" for id_ in card.rules if id_ in rules):
            assert all(other.indicator != "info" for other in cards)


@settings(max_examples=300)
@given(facts())
def test_at_most_four_cards_in_the_order_of_urgency(told: dict[str, Any]) -> None:
    cards = _cards(_assess(told))
    assert len(cards) <= 4
    indicators = [CRITICAL_FIRST.index(card.indicator) for card in cards]
    assert indicators == sorted(indicators)
    assert len({card.uuid for card in cards}) == len(cards)


@settings(max_examples=300)
@given(
    facts(), st.sampled_from(_named(ConditionDefinition, MedicationDefinition, AllergyDefinition))
)
def test_what_is_not_known_never_makes_a_card_firmer(told: dict[str, Any], name: str) -> None:
    """A rule that holds without knowing a fact would hold whether it were true or false."""
    order = [None, "info", "warning", "critical"]
    levels = {}
    for value in (True, False, None):
        supposed = _facts({**told, name: value})
        assessed = [judge(rule, supposed) for rule in SERVICE.rules]
        levels[value] = {each.rule.id: order.index(each.level) for each in assessed}
    for rule_id, level in levels[None].items():
        assert level <= max(levels[True][rule_id], levels[False][rule_id]), rule_id


@settings(max_examples=200)
@given(facts(), st.sampled_from(["medication_list", "allergy_list", "problem_list"]))
def test_a_list_that_did_not_come_leaves_no_drug_to_offer(told: dict[str, Any], name: str) -> None:
    assert _offered(_assess({**told, name: False})) == set()


@settings(max_examples=200)
@given(facts())
def test_all_languages_give_the_same_cards(told: dict[str, Any]) -> None:
    evaluation = _assess(told)
    answers = [
        [
            (card.uuid, card.indicator, card.rules)
            for card in render(SERVICE, evaluation, _in(language))
        ]
        for language in SERVICE.languages
    ]
    assert all(answer == answers[0] for answer in answers)


def _in(language: str) -> Call:
    return replace(CALL, language=language)


# Caffeine in a day, from food and drink; cards/guards.yaml says why.
ALLOWED = {"400 mg"}


def _texts(card: Card) -> Iterable[str]:
    """Everything on a card that a clinician reads."""
    yield card.summary
    yield from card.detail.splitlines()
    yield from (suggestion.label for suggestion in card.suggestions)
    yield from (reason.display for reason in card.override_reasons if reason.display)


@settings(max_examples=200)
@given(facts())
def test_no_card_holds_a_dose_or_an_order(told: dict[str, Any]) -> None:
    """What is sent, in every language and in both forms: no schema could see this."""
    evaluation = _assess(told)
    for language in SERVICE.languages:
        for is_short in (False, True):
            call = replace(CALL, language=language, is_short=is_short)
            for card in render(SERVICE, evaluation, call):
                for text in _texts(card):
                    assert set(own_reader().found(text, language)) <= ALLOWED


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        (
            "en",
            "Stop venlafaxine 75 mg today and start lorazepam 1 mg",
            ["75 mg", "1 mg", "stop venlafaxine", "start lorazepam"],
        ),
        ("en", "- **Consider:** do not take any **benzodiazepine**", ["take any benzodiazepine"]),
        ("en", "Switch to sertraline.", ["switch to sertraline"]),
        ("en", "You must take 0.5-1 mg lorazepam", ["1 mg", "take 0 5 1 mg lorazepam"]),
        ("zh-Hans", "请患者停用文拉法辛７５毫克", ["75毫克", "停用文拉法辛75毫克"]),
        ("es", "Hay que suspender el litio", ["suspender el litio"]),
        ("en", "Venlafaxine 37.5mg, 1,5 g or 250 µg/day", ["37.5mg", "1,5 g", "250 μg"]),
        (
            "es",
            "Suspender venlafaxina 75 mg hoy e iniciar lorazepam 1 mg",
            ["75 mg", "1 mg", "suspender venlafaxina", "iniciar lorazepam"],
        ),
        ("es", "Suspéndase la venlafaxina", ["suspendase la venlafaxina"]),
        (
            "zh-Hans",
            "今天停用文拉法辛 75 mg，并开始劳拉西泮 1 mg",
            ["75 mg", "1 mg", "停用文拉法辛 75 mg", "开始劳拉西泮 1 mg"],
        ),
        ("zh-Hans", "立即减少舍曲林，改用 SSRI", ["减少舍曲林", "改用 SSRI"]),
        ("en", "Haemoglobin 86 g/L, 15 minutes, 5 U/L, GAD-7 14, 3 g/dL", []),
        ("en", "Neither is to be stopped abruptly; a start of sertraline", []),
        ("es", "al suspender la venlafaxina; el aumento de litio", []),
        ("zh-Hans", "停用 SSRI 或米氮平后间隔 14 天", []),
    ],
)
def test_doses_and_orders_are_found(language: str, text: str, found: list[str]) -> None:
    assert list(own_reader().found(text, language)) == found


HOSTILE = st.text(
    alphabet=st.sampled_from("<>&*_`[]()#!|~$\\\n\r\t\u202e\u200b\u0000:/.@\"'=abc 1"), max_size=120
)


@settings(max_examples=200)
@given(HOSTILE)
def test_text_from_the_record_cannot_break_out(text: str) -> None:
    evaluation = _named_in_the_record(text or "x")
    assert evaluation.gate is GateState.OPEN
    for card in _cards(evaluation):
        assert _tokens(card.detail) == _harmless()[card.indicator]
        assert "\n" not in card.summary and len(card.summary.encode("utf-16-le")) // 2 < 140


def _named_in_the_record(text: str) -> Evaluation:
    """An anxious patient whose symptoms have this text in the record."""
    told = {**ANXIOUS, "limb_weakness": True}
    return _assess({**told, "fatigue.names": [text], "limb_weakness.names": [text]})


@cache
def _harmless() -> dict[str, list[str]]:
    """The structure of the first card of each indicator with a text that can do no harm."""
    cards = reversed(_cards(_named_in_the_record("x")))
    return {card.indicator: _tokens(card.detail) for card in cards}


_MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def _tokens(markdown: str) -> list[str]:
    """The structure that Markdown makes of a text: everything but the texts themselves."""
    found = []
    for token in _MARKDOWN.parse(markdown):
        found.append(token.type)
        found.extend(child.type for child in token.children or () if child.type != "text")
    return found
