"""For each named drug and each rule that may remove it, a patient where that rule does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.cards.rendering import render
from cds_service.knowledge.content.artifacts import Example
from cds_service.knowledge.loading.examples import ExampleFacts
from cds_service.knowledge.outcomes.evaluation import Evaluation, assess
from cds_service.knowledge.outcomes.muting import mute

from .conversations import CALL

_SCOPE = {"R03", "R04", "R08", "R11"}
_BENZODIAZEPINE = _SCOPE | {
    *("R49", "R50", "R51", "R52", "R53", "R54", "R55", "R56", "R57", "R58", "R59", "R60", "R61"),
    *("R62", "R62b", "R62c", "R95", "R96", "R97", "R97b", "R99"),
}
_ANTIDEPRESSANT = _SCOPE | {"R49", "R72", "R73", "R76", "R95", "R97", "R97b", "R99"}
MATRIX = {
    "lorazepam": _BENZODIAZEPINE,
    "alprazolam": _BENZODIAZEPINE | {"R63"},
    "estazolam": _BENZODIAZEPINE | {"R63"},
    "paroxetine": _ANTIDEPRESSANT | {"R82", "R86", "R87", "R91", "R96"},
    "sertraline": _ANTIDEPRESSANT | {"R59", "R86", "R96"},
    "fluvoxamine": _ANTIDEPRESSANT | {"R83", "R86", "R96"},
    "venlafaxine": _ANTIDEPRESSANT | {"R79", "R96"},
    "duloxetine": _ANTIDEPRESSANT | {"R79", "R80", "R81", "R85", "R96"},
    "mirtazapine": _ANTIDEPRESSANT,
}
# A drug taken for long is also a drug taken: R97 stands beside R61 by its nature. The danger that
# makes a card below 18 is one that R50 names too.
BY_NATURE = {"R61": {"R97"}, "R03": {"R50"}}
# Below 18 only a danger makes a card, so that the line on it can be read.
_CARD_FOR = {"R03": {"phq9_item9": 1}}
# Low sodium keeps the only cause of mirtazapine off the list (R32), and that card says this of it.
_SAID_ELSEWHERE = {
    ("mirtazapine", "R76"): "No SSRI, SNRI or mirtazapine is listed as a new option",
}
CELLS = [(drug, rule) for drug, rules in MATRIX.items() for rule in sorted(rules)]
# Adults whose cause would show the drug, if nothing withholds it.
_WORK_UP = {"potassium": 4.2, "sodium": 140, "glucose": 5.2, "haemoglobin": 140, "tsh": 1.8}
_CRISIS = {
    **{"anxiety_condition": True, "anxiety_state": True, "severe_anxiety_crisis": True},
    **{"gad7": 16, "stressor": True, "arousal": True, "limb_weakness": True, **_WORK_UP},
}
_GAD = {"anxiety_condition": True, "gad": True, "gad7": 16, "fatigue": True}
_NEURASTHENIA = {
    **{"anxiety_condition": True, "neurasthenia": True, "fatigue": True},
    **_WORK_UP,
}
_BASE = {
    **dict.fromkeys(("lorazepam", "alprazolam", "estazolam"), _CRISIS),
    **dict.fromkeys(("paroxetine", "sertraline", "fluvoxamine"), _GAD),
    **dict.fromkeys(("venlafaxine", "duloxetine"), _GAD),
    "mirtazapine": _NEURASTHENIA,
}


def _assess(service: CDSService, facts: Mapping[str, Any]) -> Evaluation:
    return assess(service, [ExampleFacts(service.facts, facts)])


def _class_of(service: CDSService, drug: str) -> str:
    return next(id_ for id_, each in service.classes.items() if drug in each.drugs)


def _reasons(service: CDSService, evaluation: Evaluation, drug: str) -> set[str]:
    items = ("drugs", _class_of(service, drug), drug)
    return {reason.rule for reason in evaluation.why_withheld(*items)}


def _says_why(service: CDSService, detail: str, drug: str, rule: str) -> bool:
    """Whether the card names the drug or its class as withheld, or says the rule's own line.

    The line alone is left where the rule takes away the only cause that would name the drug.
    """
    words = service.words["en"]
    kept_back = detail.partition("**Not listed, and why**")[2]
    titles = {words.plain(each, "title") for each in (drug, _class_of(service, drug))}
    if any(f"**{title}:**" in kept_back for title in titles):
        return True
    if not words.has(rule, "info"):
        return False
    own_line = words.plain(rule, "info").partition("** ")[0]
    return own_line.startswith("**") and own_line in detail


def _details(service: CDSService, evaluation: Evaluation) -> str:
    return "\n".join(card.detail for card in render(service, evaluation, CALL))


@pytest.mark.parametrize("drug", MATRIX)
def test_a_drug_is_shown_when_nothing_withholds_it(drug: str, service: CDSService) -> None:
    evaluation = _assess(service, _BASE[drug])
    assert _reasons(service, evaluation, drug) == set()
    title = service.words["en"].plain(drug, "title")
    shown = _details(service, evaluation).partition("**Not listed, and why**")[0]
    assert f"- {title}" in shown


def _examples(service: CDSService, rule_id: str) -> list[Example]:
    return [
        example
        for rule in service.rules
        if rule.id == rule_id
        for example in rule.examples
        if example.withholds
    ]


@pytest.mark.parametrize(("drug", "rule"), CELLS, ids=[f"{drug} {rule}" for drug, rule in CELLS])
def test_a_rule_alone_removes_a_drug_and_the_card_says_why(
    drug: str, rule: str, service: CDSService
) -> None:
    tried = []
    for example in _examples(service, rule):
        evaluation = _assess(service, {**_BASE[drug], **_CARD_FOR.get(rule, {}), **example.facts})
        reasons = _reasons(service, evaluation, drug)
        tried.append((example.name, sorted(reasons)))
        if rule not in reasons or reasons - {rule} - BY_NATURE.get(rule, set()):
            continue
        detail = _details(service, evaluation)
        title = service.words["en"].plain(drug, "title")
        assert f"- {title}" not in detail.partition("**Not listed, and why**")[0]
        if _SAID_ELSEWHERE.get((drug, rule), "\0") in detail or _says_why(
            service, detail, drug, rule
        ):
            return
    pytest.fail(f"no example of {rule} removes {drug} alone and says so; tried {tried}")


@pytest.mark.parametrize("drug", ["lorazepam", "alprazolam", "estazolam"])
def test_a_benzodiazepine_is_kept_back_where_another_cause_has_more_support(
    drug: str, service: CDSService
) -> None:
    less = {"stressor": False, "arousal": False, "fatigue": True}
    evaluation = _assess(service, {**_BASE[drug], **less})
    causes = [outcome.cause.id for outcome in evaluation.causes]
    assert "C3" in causes and causes[0] != "C3"
    detail = _details(service, evaluation)
    assert service.words["en"].plain("D1", "not-first") in detail
    title = service.words["en"].plain(drug, "title")
    assert f"- {title}" not in detail


def test_a_benzodiazepine_is_never_the_only_drug_named(service: CDSService) -> None:
    alone = {name: value for name, value in _CRISIS.items() if name != "gad7"}
    evaluation = _assess(service, alone)
    assert [outcome.cause.id for outcome in evaluation.causes] == ["C3"]
    assert evaluation.why_withheld("drugs", "D1", "lorazepam") == ()
    detail = _details(service, evaluation)
    assert service.words["en"].plain("D1", "not-alone") in detail
    assert "- lorazepam" not in detail


def test_a_benzodiazepine_is_named_beside_no_warning_of_a_finding(service: CDSService) -> None:
    evaluation = _assess(service, {**_CRISIS, "potassium": 2.9})
    assert evaluation.outcomes["R30"].level == "warning"
    assert {reason.rule for reason in evaluation.why_withheld("D1")} == {"R30"}
    detail = _details(service, evaluation)
    assert service.words["en"].plain("layout", "warned") in detail
    assert "- lorazepam" not in detail


DEMOTIONS = [
    ("R77", "venlafaxine", {"qtc": 501}),
    ("R94", "venlafaxine", {"phq9_item9": 1}),
    ("R94", "venlafaxine", {"overdose_history": True}),
    ("R84", "fluvoxamine", {"fluvoxamine_load_partner": True}),
]


@pytest.mark.parametrize(("rule", "drug", "hazard"), DEMOTIONS)
def test_a_demoted_drug_stands_last_in_its_class_and_its_note_beside_it(
    rule: str, drug: str, hazard: dict[str, Any], service: CDSService
) -> None:
    before, after = (_details(service, _assess(service, {**_GAD, **more})) for more in ({}, hazard))
    assert rule in after and rule not in before
    in_order = service.classes[_class_of(service, drug)].drugs
    others = [each for each in in_order if each != drug]
    assert _order(service, before, in_order) == list(in_order)
    assert _order(service, after, in_order) == [*others, drug]


def _order(service: CDSService, detail: str, drugs: Sequence[str]) -> list[str]:
    places = {drug: detail.find(f"- {service.words['en'].plain(drug, 'title')}") for drug in drugs}
    assert -1 not in places.values(), places
    return sorted(places, key=places.__getitem__)


def test_a_rule_that_is_switched_off_still_demotes(service: CDSService) -> None:
    evaluation = mute(service, _assess(service, {**_GAD, "qtc": 501}), {"R77"})
    assert "venlafaxine" in evaluation.demoted
    in_order = service.classes["D3"].drugs
    assert _order(service, _details(service, evaluation), in_order)[-1] == "venlafaxine"
