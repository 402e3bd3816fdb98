"""Every example beside a rule or a cause, and that there are enough of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import pytest
from content import own_service

from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import Cause, Example, Rule
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.expressions.fhirpath import (
    Function,
    Literal,
    Name,
    Node,
    Operation,
    parse,
)
from cds_service.knowledge.facts.list import ListDefinition
from cds_service.knowledge.facts.patient import PatientDefinition
from cds_service.knowledge.loading import examples
from cds_service.knowledge.outcomes.evaluation import weigh
from cds_service.knowledge.outcomes.judging import judge

SERVICE = own_service()
ITEMS: list[Rule | Cause] = [*SERVICE.rules, *SERVICE.causes]
# Spelled as the specification numbers them; R13 to R19, R29, R44, R69, R71, R92 and R107 it lacks.
GAPS = {*range(13, 20), 29, 44, 68, 69, 71, 92, 107}
NUMBERED = {f"R{number:02}" for number in range(1, 112) if number not in GAPS}


# One test for a rule or a cause, and not for each of its thousands of examples: to set up a test
# takes longer than to run an example. `cds-service check` names every example that fails.
@pytest.mark.parametrize("item", ITEMS, ids=[item.id for item in ITEMS])
def test_every_example_comes_out_as_it_says(item: Rule | Cause) -> None:
    assert item.examples
    for example in item.examples:
        facts = _example_facts(SERVICE, example)
        if isinstance(item, Rule):
            assert examples.rule_result(judge(item, facts)) == example.expect, example.name
            if example.withholds is not None:
                withheld = set(examples.withheld_items(item, facts))
                assert withheld == set(example.withholds), example.name
        else:
            outcome = weigh(item, [facts], {})
            result = examples.cause_result(outcome, SERVICE.least_points)
            assert result == example.expect, example.name
            assert example.points in (None, outcome.points), example.name


def test_every_rule_of_the_specification_stands_in_cards() -> None:
    assert NUMBERED - {rule.id for rule in SERVICE.rules} == set()


@pytest.mark.parametrize("rule", SERVICE.rules, ids=[rule.id for rule in SERVICE.rules])
def test_every_level_of_a_rule_has_an_example(rule: Rule) -> None:
    assert set(rule.levels) <= {example.expect for example in rule.examples}


@pytest.mark.parametrize("rule", SERVICE.rules, ids=[rule.id for rule in SERVICE.rules])
def test_a_rule_that_may_not_apply_has_an_example_of_that(rule: Rule) -> None:
    if any(condition.text == "true" for condition in rule.levels.values()):
        assert {example.expect for example in rule.examples} == {"info"}
    else:
        assert "none" in {example.expect for example in rule.examples}


def _example_facts(service: CDSService, example: Example) -> examples.ExampleFacts:
    return examples.ExampleFacts(service.facts, example.facts)


def _conditions(item: Rule | Cause) -> list[Expression]:
    if isinstance(item, Rule):
        return [*item.levels.values(), *(each.when for each in item.withhold if each.when)]
    return [
        *(reason.when for group in item.points for reason in group.reasons),
        *(reason.when for reason in (*item.requires, *item.excludes)),
    ]


def _comparisons(node: Node) -> Iterable[tuple[Name, float]]:
    """The fact members that are compared with a number, and the number."""
    match node:
        case Operation(word, Name() as name, Literal(float() as number)) if word[0] in "<>":
            yield name, number
        case Operation(_, left, right):
            yield from _comparisons(left)
            yield from _comparisons(right)
        case Function(_, of):
            yield from _comparisons(of)


@pytest.mark.parametrize("item", ITEMS, ids=[item.id for item in ITEMS])
def test_every_number_has_an_example_at_below_and_above_it(item: Rule | Cause) -> None:
    for condition in _conditions(item):
        for name, number in _comparisons(parse(condition.text)):
            if isinstance(SERVICE.facts[name.fact], ListDefinition):
                continue  # a count of what was set aside: 0 or more
            values = [
                operator.attrgetter(name.member)(_example_facts(SERVICE, example)[name.fact])
                for example in item.examples
            ]
            sides = {(v > number) - (v < number) for v in values if isinstance(v, int | float)}
            assert sides == {-1, 0, 1}, f"{item.id}: {name} and {number}"


@pytest.mark.parametrize("rule", SERVICE.rules, ids=[rule.id for rule in SERVICE.rules])
def test_an_example_is_never_firmer_without_one_of_its_facts(rule: Rule) -> None:
    """Each fact missing: not known is never more than known to be there, or known not to be."""
    firmness = ["none", "unknown", "info", "warning", "critical"]

    def result(facts: dict[str, Any]) -> int:
        told = examples.ExampleFacts(SERVICE.facts, facts)
        return firmness.index(examples.rule_result(judge(rule, told)))

    for example in rule.examples:
        known = result(dict(example.facts))
        for name in {path.partition(".")[0] for path in example.facts}:
            if isinstance(SERVICE.facts[name], ListDefinition | PatientDefinition):
                continue  # a list or an age that is not known is what R11 and R04 are about
            others = {
                path: value for path, value in example.facts.items() if not _is_of(path, name)
            }
            firmest = max(known, result(others), firmness.index("unknown"))
            assert result({**others, name: None}) <= firmest, f"{example.name} without {name}"


def _is_of(path: str, fact: str) -> bool:
    return path.partition(".")[0] == fact


@pytest.mark.parametrize("item", ITEMS, ids=[item.id for item in ITEMS])
def test_every_condition_is_true_in_some_example_and_not_in_another(item: Rule | Cause) -> None:
    for condition in _conditions(item):
        if not condition.names:
            continue
        came = [condition.evaluate(_example_facts(SERVICE, example)) for example in item.examples]
        assert True in came, f"{item.id}: no example makes true: {condition.text}"
        assert any(value is not True for value in came), f"{item.id}: always {condition.text}"
