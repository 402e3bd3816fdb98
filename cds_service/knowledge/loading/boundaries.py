"""Demands an example at, below and above every number in the conditions of rules and causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any, cast

from cds_service.knowledge.content.artifacts import Cause, Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.expressions.expressions import Limit
from cds_service.knowledge.facts.expression import ExpressionDefinition
from cds_service.knowledge.facts.kinds import made_of
from cds_service.knowledge.loading.examples import ExampleFacts

_MEASURED = ("value", "last_value", "previous")
_CLOSE = 1e-9  # 3.4 + 0.1 is not quite 3.5


def missing_boundaries(service: Service) -> Iterable[tuple[str, str]]:
    """The id of each rule, cause or computed fact, and which example it lacks.

    The examples of a computed fact are those of every rule and cause that uses it.
    """
    of_facts: dict[str, list[Mapping[str, Any]]] = {}
    for item in rules_and_causes(service):
        examples = [_facts(service, given.facts) for given in item.examples]
        yield from _lacking(service, item.id, _limits(item), examples)
        for name in facts_under(service, item):
            of_facts.setdefault(name, []).extend(examples)
    for name, examples in of_facts.items():
        definition = service.facts[name]
        if isinstance(definition, ExpressionDefinition):
            yield from _lacking(service, name, definition.expression.limits, examples)


def rules_and_causes(service: Service) -> tuple[Rule | Cause, ...]:
    """Everything that has conditions and examples."""
    return (*service.rules, *service.causes)


def facts_under(service: Service, item: Rule | Cause) -> Iterable[str]:
    """The facts that the conditions of a rule or cause name, and those below them, each once."""
    waiting = [name for condition in item.conditions for name in condition.facts]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in service.facts:
            seen.add(name)
            waiting.extend(made_of(service.facts[name]))
            yield name


def _facts(service: Service, given: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return ExampleFacts(service.facts, given)
    except ValueError:  # noted already: the example fails
        return {}


def _limits(item: Rule | Cause) -> Iterable[Limit]:
    return (limit for condition in item.conditions for limit in condition.limits)


def _lacking(
    service: Service, id_: str, limits: Iterable[Limit], examples: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[str, str]]:
    for limit in {(limit.compared, limit.number): limit for limit in limits}.values():
        number, step = limit.number, _step(limit.number)
        values = [value for facts in examples if (value := _value(limit, facts)) is not None]
        places = {
            "at": any(abs(value - number) < _CLOSE for value in values),
            "below": any(_CLOSE < number - value < step + _CLOSE for value in values),
            "above": any(_CLOSE < value - number < step + _CLOSE for value in values),
        }
        lowest, highest = _range(service, limit)
        places["below"] |= number <= lowest
        places["above"] |= number >= highest
        lacking = [place for place, is_there in places.items() if not is_there]
        if lacking:
            where = f"{' and '.join(lacking)} {number:g}, at most {step:g} from it"
            yield id_, f"needs an example {where}, for {limit.compared}"


def _range(service: Service, limit: Limit) -> tuple[float, float]:
    """The lowest and highest value of what is compared; counts and days go from 0."""
    fact, _, member = limit.compared.removeprefix("%").partition(".")
    definition = service.facts.get(fact) if member in _MEASURED else None
    quantity, answers = (getattr(definition, name, None) for name in ("quantity", "answers"))
    if quantity is not None:
        return cast(tuple[float, float], quantity.plausible)
    if answers is not None:
        numbers = {*answers.codes.values(), *answers.words.values()}
        return min(numbers), max(numbers)
    return 0, inf


def _step(number: float) -> float:
    """One in the last place of a number as it is written: 1 for 35, 0.1 for 3.5."""
    decimals = f"{number:g}".partition(".")[2]
    return float(10 ** -len(decimals))


def _value(limit: Limit, facts: Mapping[str, Any]) -> float | None:
    """What an example compares with the number; None if that is not one number."""
    try:
        value = limit.evaluate(facts)
    except (KeyError, ValueError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) else None
