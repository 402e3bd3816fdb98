"""B.10: for each named drug and each rule that may remove it, a patient where that rule does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cds_service.knowledge import Service
from cds_service.knowledge.content import Example
from cds_service.knowledge.evaluation import Evaluation, assess
from cds_service.knowledge.examples import ExampleFacts
from cds_service.knowledge.rendering import render

from .conversations import CALL

_SCOPE = {"R04", "R08", "R11"}
_BENZODIAZEPINE = _SCOPE | {
    *("R49", "R51", "R52", "R53", "R54", "R55", "R56", "R57", "R58", "R59", "R60", "R61", "R62"),
    *("R95", "R96", "R97", "R99"),
}
_ANTIDEPRESSANT = _SCOPE | {"R49", "R72", "R73", "R76", "R95", "R97", "R99"}
MATRIX = {
    "lorazepam": _BENZODIAZEPINE,
    "alprazolam": _BENZODIAZEPINE | {"R63"},
    "estazolam": _BENZODIAZEPINE | {"R63"},
    "paroxetine": _ANTIDEPRESSANT | {"R82", "R86", "R87", "R91", "R96"},
    "sertraline": _ANTIDEPRESSANT | {"R86", "R96"},
    "fluvoxamine": _ANTIDEPRESSANT | {"R83", "R86", "R96"},
    "venlafaxine": _ANTIDEPRESSANT | {"R79", "R96"},
    "duloxetine": _ANTIDEPRESSANT | {"R79", "R80", "R81", "R85", "R96"},
    # Its one cause, C5, asks for a known age and a sodium that explains nothing, so that R04 and
    # R76 find nothing to remove.
    "mirtazapine": _ANTIDEPRESSANT - {"R04", "R76"},
}
# A drug taken for long is also a drug taken: R97 stands beside R61 by its nature.
BY_NATURE = {"R61": {"R97"}}
CELLS = [(drug, rule) for drug, rules in MATRIX.items() for rule in sorted(rules)]
# Adults whose cause would show the drug, if nothing withholds it.
_ANXIOUS_STATE = {"anxiety_condition": True, "anxiety_state": True, "gad7": 6, "fatigue": True}
_GAD = {"anxiety_condition": True, "gad": True, "gad7": 16, "fatigue": True}
_NEURASTHENIA = {
    **{"anxiety_condition": True, "neurasthenia": True, "fatigue": True, "potassium": 4.2},
    **{"sodium": 140, "glucose": 5.2, "haemoglobin": 140, "tsh": 1.8},
}
_BASE = {
    **dict.fromkeys(("lorazepam", "alprazolam", "estazolam"), _ANXIOUS_STATE),
    **dict.fromkeys(("paroxetine", "sertraline", "fluvoxamine"), _GAD),
    **dict.fromkeys(("venlafaxine", "duloxetine"), _GAD),
    "mirtazapine": _NEURASTHENIA,
}


def _assess(service: Service, facts: Mapping[str, Any]) -> Evaluation:
    return assess(service, [ExampleFacts(service.facts, facts)])


def _class_of(service: Service, drug: str) -> str:
    return next(id_ for id_, each in service.classes.items() if drug in each.drugs)


def _reasons(service: Service, evaluation: Evaluation, drug: str) -> set[str]:
    items = ("drugs", _class_of(service, drug), drug)
    return {reason.rule for reason in evaluation.why_withheld(*items)}


def _details(service: Service, evaluation: Evaluation) -> str:
    return "\n".join(card.detail for card in render(service, evaluation, CALL))


@pytest.mark.parametrize("drug", MATRIX)
def test_a_drug_is_shown_when_nothing_withholds_it(drug: str, service: Service) -> None:
    evaluation = _assess(service, _BASE[drug])
    assert _reasons(service, evaluation, drug) == set()
    title = service.words["en"].plain(drug, "title")
    shown = _details(service, evaluation).partition("**Not listed, and why**")[0]
    assert f"- {title}" in shown


def _examples(service: Service, rule_id: str) -> list[Example]:
    return [
        example
        for rule in service.rules
        if rule.id == rule_id
        for example in rule.examples
        if example.withholds
    ]


@pytest.mark.parametrize(("drug", "rule"), CELLS, ids=[f"{drug} {rule}" for drug, rule in CELLS])
def test_a_rule_alone_removes_a_drug_and_the_card_says_why(
    drug: str, rule: str, service: Service
) -> None:
    tried = []
    for example in _examples(service, rule):
        evaluation = _assess(service, {**_BASE[drug], **example.facts})
        reasons = _reasons(service, evaluation, drug)
        tried.append((example.name, sorted(reasons)))
        if rule not in reasons or reasons - {rule} - BY_NATURE.get(rule, set()):
            continue
        detail = _details(service, evaluation)
        kept_back = detail.partition("**Not listed, and why**")[2]
        names = {
            service.words["en"].plain(each, "title") for each in (drug, _class_of(service, drug))
        }
        # A critical finding, or one that takes the cause away, leaves nothing to name.
        if any(f"**{name}:**" in kept_back for name in names):
            return
    pytest.fail(f"no example of {rule} removes {drug} alone and says so; tried {tried}")
