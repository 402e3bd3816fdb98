"""The operators of FHIRPath, each as a piece of Python; an absent value is None.

Connectives are three-valued (FHIRPath N1, 6.5); comparing or calculating with what is absent is
absent (6.1, 6.2, 6.6). An Interval compares only where every number in it would.

A condition becomes one Python expression, so that asking it costs no calls between operators.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cds_service.knowledge.record.quantities import Interval

Facts = Mapping[str, Any]
Evaluate = Callable[[Facts], Any]
Operand = tuple[str, str]  # a name for a value, and the Python that gives the value


def conjunction(operands: Sequence[Operand]) -> str:
    """False as soon as one is false; unknown when one is unknown."""
    parts = [f"False if ({name} := {code}) is False else" for name, code in operands]
    return f"({' '.join(parts)} None if {_any_absent(operands)} else True)"


def disjunction(operands: Sequence[Operand]) -> str:
    """True as soon as one is true; unknown when one is unknown."""
    parts = [f"True if ({name} := {code}) else" for name, code in operands]
    return f"({' '.join(parts)} None if {_any_absent(operands)} else False)"


def _any_absent(operands: Sequence[Operand]) -> str:
    return " or ".join(f"{name} is None" for name, _ in operands)


def negation(operand: Operand) -> str:
    """What is unknown stays unknown."""
    name, code = operand
    return f"(None if ({name} := {code}) is None else not {name})"


def existence(operand: Operand) -> str:
    """Whether there is a value; an empty list is none. Never unknown."""
    name, code = operand
    return f"(({name} := {code}) is not None and {name} != ())"


def membership(operand: Operand, allowed: Sequence[str]) -> str:
    """Whether a text is one of those allowed."""
    name, code = operand
    texts = "".join(f"{text!r}, " for text in allowed)
    return f"(None if ({name} := {code}) is None else {name} in ({texts}))"


def calculation(word: str, left: Operand, right: Operand) -> str:
    """A comparison, an equality or arithmetic; `word` is a key of FUNCTIONS."""
    (one, code), (other, other_code) = left, right
    absent = f"({one} := {code}) is None or ({other} := {other_code}) is None"
    applied = f"FUNCTIONS[{word!r}]({one}, {other})"
    if word in ORDER:
        # Nearly every value is a float: those compare where they stand.
        both_floats = f"{one}.__class__ is float is {other}.__class__"
        applied = f"{one} {word} {other} if {both_floats} else {applied}"
    return f"(None if {absent} else {applied})"


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


CONNECTIVES = frozenset({"and", "or", "xor", "implies"})
ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda one, other: _less(other, one),
    ">=": lambda one, other: _less_or_equal(other, one),
}
EQUALITY: Mapping[str, Callable[[Any, Any], Any]] = {"=": _equal, "!=": _unequal}
ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _exactly(operator.add),
    "-": _exactly(operator.sub),
    "*": _exactly(operator.mul),
    "/": _exactly(_divide),
}
# An exclusive or of truth values is their difference.
FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    **ORDER,
    **EQUALITY,
    **ARITHMETIC,
    "xor": operator.ne,
}


def function_of(code: str) -> Evaluate:
    """The Python of a whole condition as a function of facts.

    `code` is made of the pieces above, of numbers and texts as literals, and of names that the
    grammar of conditions allows: nothing in it was written as Python by anybody.
    """
    evaluate: Evaluate = eval(  # noqa: S307
        f"lambda facts: {code}", {"FUNCTIONS": FUNCTIONS, "__builtins__": {"float": float}}
    )
    return evaluate
