"""The operators of FHIRPath as functions of closures; an absent value is None.

Connectives are three-valued (FHIRPath N1, 6.5); comparing or calculating with what is absent is
absent (6.1, 6.2, 6.6). An Interval compares only where every number in it would.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from cds_service.knowledge.quantities import Interval

Facts = Mapping[str, Any]
Evaluate = Callable[[Facts], Any]


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool | None:
        first = left(facts)
        if first is False:
            return False
        second = right(facts)
        if second is False:
            return False
        return True if first and second else None

    return evaluate


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool | None:
        first = left(facts)
        if first:
            return True
        second = right(facts)
        if second:
            return True
        return False if first is False and second is False else None

    return evaluate


def _xor(left: Evaluate, right: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool | None:
        first, second = left(facts), right(facts)
        return None if first is None or second is None else first is not second

    return evaluate


def _implies(left: Evaluate, right: Evaluate) -> Evaluate:
    return _or(negate(left), right)


def negate(inner: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool | None:
        value = inner(facts)
        return None if value is None else not value

    return evaluate


def exists(inner: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool:
        value = inner(facts)
        return value is not None and value != ()

    return evaluate


def both(left: Evaluate, right: Evaluate, apply: Callable[[Any, Any], Any]) -> Evaluate:
    """Apply to both values; empty when either is (FHIRPath N1, 6.1 and 6.6)."""

    def evaluate(facts: Facts) -> Any:
        first, second = left(facts), right(facts)
        return None if first is None or second is None else apply(first, second)

    return evaluate


def _less(one: Any, other: Any) -> bool | None:
    if isinstance(one, float) and isinstance(other, float):
        return one < other
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


def _exactly(
    calculate: Callable[[float, float], float | None],
) -> Callable[[Any, Any], float | None]:
    def apply(one: Any, other: Any) -> float | None:
        if isinstance(one, Interval) or isinstance(other, Interval):
            return None
        return calculate(one, other)

    return apply


def _divide(one: float, other: float) -> float | None:
    return one / other if other else None


CONNECTIVES: Mapping[str, Callable[[Evaluate, Evaluate], Evaluate]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}
ORDER: Mapping[str, Callable[[Any, Any], bool | None]] = {
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda one, other: _less(other, one),
    ">=": lambda one, other: _less_or_equal(other, one),
}
EQUALITY: Mapping[str, Callable[[Any, Any], bool | None]] = {"=": _equal, "!=": _unequal}
ARITHMETIC: Mapping[str, Callable[[Any, Any], float | None]] = {
    "+": _exactly(operator.add),
    "-": _exactly(operator.sub),
    "*": _exactly(operator.mul),
    "/": _exactly(_divide),
}
