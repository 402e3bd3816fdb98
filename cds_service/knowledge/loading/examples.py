"""The examples of rules and causes: decision tables that run as tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from cds_service.knowledge.content.artifacts import Cause, Example, Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.expressions.spelling import like
from cds_service.knowledge.facts.kind import NOT_TOLD
from cds_service.knowledge.facts.kinds import Definition, kind_of
from cds_service.knowledge.outcomes.evaluation import CauseOutcome, weigh
from cds_service.knowledge.outcomes.judging import RuleOutcome, judge, withholds


class ExampleFacts(Mapping[str, Any]):
    """The facts of an example, by name.

    Its patient is an adult with complete, empty lists and no tests done, except for the facts that
    the example names. `null` means that the record does not say.
    """

    def __init__(self, definitions: Mapping[str, Definition], given: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._given: dict[str, dict[str, Any]] = {}
        for path, value in given.items():
            name, _, member = path.partition(".")
            if name not in definitions:
                raise ValueError(f"no fact named {name}{like(name, definitions)}")
            self._given.setdefault(name, {})[member or "value"] = _plain(value)
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._example(name)
        return self._known[name]

    def __iter__(self) -> Any:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def _example(self, name: str) -> Any:
        definition = self._definitions[name]
        kind, members = kind_of(definition), dict(self._given.get(name, {}))
        main = members.pop("value", members.pop(kind.main, NOT_TOLD))
        fact: Any = kind.example(definition, main, self)
        if not members:
            return fact
        unknown = sorted(set(members) - {field.name for field in fields(fact)})
        if unknown:
            raise ValueError(f"there is no member {', '.join(unknown)}")
        return replace(fact, **members)


def _plain(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def failures(service: Service) -> Iterable[tuple[Rule | Cause, list[tuple[int, str]]]]:
    """Each rule or cause with examples that fail: the number of each, and what is wrong with it."""
    items: tuple[Rule | Cause, ...] = (*service.rules, *service.causes)
    for item in items:
        found = [
            (number, wrong)
            for number, example in enumerate(item.examples)
            if (wrong := _failure(service, item, example))
        ]
        if found:
            yield item, found


def _failure(service: Service, item: Rule | Cause, example: Example) -> str | None:
    try:
        facts = ExampleFacts(service.facts, example.facts)
        if isinstance(item, Rule):
            return _wrong_rule(item, example, facts)
        return _wrong_cause(service, item, example, facts)
    except (ValueError, TypeError) as error:
        return str(error)


def _wrong_rule(rule: Rule, example: Example, facts: Mapping[str, Any]) -> str | None:
    came = rule_result(judge(rule, facts))
    if came != example.expect:
        return f"expected {example.expect}, got {came}"
    if example.withholds is None:
        return None
    held = tuple(sorted(set(withheld_items(rule, facts))))
    expected = tuple(sorted(example.withholds))
    return None if held == expected else f"expected withholds {expected}, got {held}"


def _wrong_cause(
    service: Service, cause: Cause, example: Example, facts: Mapping[str, Any]
) -> str | None:
    outcome = weigh(cause, [facts], {})
    came = cause_result(outcome, service.least_points)
    if came != example.expect:
        return f"expected {example.expect}, got {came} with {outcome.points} points"
    if example.points is not None and example.points != outcome.points:
        return f"expected {example.points} points, got {outcome.points}"
    return None


def rule_result(outcome: RuleOutcome) -> str:
    """critical, warning, info, unknown or none."""
    return outcome.level or ("unknown" if outcome.unknown else "none")


def cause_result(outcome: CauseOutcome, least_points: int) -> str:
    """listed, excluded, unmet or weak."""
    if outcome.excluded:
        return "excluded"
    if outcome.unmet:
        return "unmet"
    return "listed" if outcome.points >= least_points else "weak"


def withheld_items(rule: Rule, facts: Mapping[str, Any]) -> Iterable[str]:
    """What a rule withholds on these facts."""
    outcome = judge(rule, facts)
    for withhold in rule.withhold:
        if withholds(withhold, outcome, [facts]):
            yield from withhold.items
