"""The operators of FHIRPath as closures over facts; an absent value is None.

Connectives are three-valued (FHIRPath N1, 6.5); a comparison or calculation with an absent value is
absent (6.1, 6.2, 6.6). An Interval is compared only if every number in it gives the same answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from cds_service.knowledge.record.quantities import Interval

Facts = Mapping[str, Any]
Evaluate = Callable[[Facts], Any]
Calculate = Callable[[Any, Any], Any]


def literal(value: float | str | bool) -> Evaluate:
    """The same for all facts."""
    return lambda facts: value


def member_of(fact: str, member: str) -> Evaluate:
    """A member of a fact."""
    get = attrgetter(member)
    return lambda facts: get(facts[fact])


def conjunction(operands: Sequence[Evaluate]) -> Evaluate:
    """False as soon as one is false; unknown when one is unknown."""

    def evaluate(facts: Facts) -> bool | None:
        result: bool | None = True
        for operand in operands:
            value = operand(facts)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return evaluate


def disjunction(operands: Sequence[Evaluate]) -> Evaluate:
    """True as soon as one is true; unknown when one is unknown."""

    def evaluate(facts: Facts) -> bool | None:
        result: bool | None = False
        for operand in operands:
            value = operand(facts)
            if value:
                return True
            if value is None:
                result = None
        return result

    return evaluate


def negation(operand: Evaluate) -> Evaluate:
    """What is unknown stays unknown."""

    def evaluate(facts: Facts) -> bool | None:
        value = operand(facts)
        return None if value is None else not value

    return evaluate


def existence(operand: Evaluate) -> Evaluate:
    """Whether there is a value; an empty list is none. Never unknown."""
    return lambda facts: operand(facts) not in (None, ())


def membership(operand: Evaluate, allowed: Sequence[str]) -> Evaluate:
    """Whether a text is one of those allowed."""
    texts = frozenset(allowed)

    def evaluate(facts: Facts) -> bool | None:
        value = operand(facts)
        return None if value is None else value in texts

    return evaluate


def comparison(word: str, left: Evaluate, limit: float) -> Evaluate:
    """A comparison with a fixed number: by far the most frequent."""
    calculate, of_floats = CALCULATIONS[word], _OF_FLOATS[word]

    def evaluate(facts: Facts) -> Any:
        value = left(facts)
        if value.__class__ is float:
            return of_floats(value, limit)
        return None if value is None else calculate(value, limit)

    return evaluate


def calculation(word: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """A comparison, an equality or arithmetic."""
    calculate = CALCULATIONS[word]
    # Nearly every value is a float: those compare at once.
    of_floats = _OF_FLOATS.get(word, calculate)

    def evaluate(facts: Facts) -> Any:
        one = left(facts)
        if one is None:
            return None
        other = right(facts)
        if other is None:
            return None
        if one.__class__ is float is other.__class__:
            return of_floats(one, other)
        return calculate(one, other)

    return evaluate


def _less(one: Any, other: Any) -> bool | None:
    lowest, highest = _bounds(one)
    other_lowest, other_highest = _bounds(other)
    if highest < other_lowest:
        return True
    return False if lowest >= other_highest else None


def _less_or_equal(one: Any, other: Any) -> bool | None:
    greater = _less(other, one)
    return None if greater is None else not greater


def _equal(one: Any, other: Any) -> bool | None:
    if isinstance(one, Interval) or isinstance(other, Interval):
        return None
    return bool(one == other)


def _unequal(one: Any, other: Any) -> bool | None:
    equal = _equal(one, other)
    return None if equal is None else not equal


def _bounds(number: float | Interval) -> tuple[float, float]:
    return (number.low, number.high) if isinstance(number, Interval) else (number, number)


def _exactly(calculate: Callable[[float, float], float | None]) -> Calculate:
    def apply(one: Any, other: Any) -> float | None:
        if isinstance(one, Interval) or isinstance(other, Interval):
            return None
        return calculate(one, other)

    return apply


def _divide(one: float, other: float) -> float | None:
    return one / other if other else None


ORDER: Mapping[str, Calculate] = {
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda one, other: _less(other, one),
    ">=": lambda one, other: _less_or_equal(other, one),
}
EQUALITY: Mapping[str, Calculate] = {"=": _equal, "!=": _unequal}
ARITHMETIC: Mapping[str, Calculate] = {
    "+": _exactly(operator.add),
    "-": _exactly(operator.sub),
    "*": _exactly(operator.mul),
    "/": _exactly(_divide),
}
CONNECTIVES = frozenset({"and", "or", "xor", "implies"})
# An exclusive or of truth values is their difference.
CALCULATIONS: Mapping[str, Calculate] = {**ORDER, **EQUALITY, **ARITHMETIC, "xor": operator.ne}
_OF_FLOATS: Mapping[str, Calculate] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
