"""Three-valued logic and intervals, by the tables of FHIRPath N1."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER, compile_expression
from cds_service.knowledge.facts.kind import ValueFact
from cds_service.knowledge.record.quantities import Interval

TYPES = {"a.value": BOOLEAN, "b.value": BOOLEAN, "x.value": NUMBER, "y.value": NUMBER}
T, F, U = True, False, None


def evaluate(text: str, **values: Any) -> object:
    facts = {name: ValueFact(value) for name, value in values.items()}
    return compile_expression(text, TYPES).evaluate(facts)


@pytest.mark.parametrize(
    ("a", "b", "conjunction", "disjunction", "exclusive", "implication"),
    [
        (T, T, T, T, F, T),
        (T, F, F, T, T, F),
        (T, U, U, T, U, U),
        (F, T, F, T, T, T),
        (F, F, F, F, F, T),
        (F, U, F, U, U, T),
        (U, T, U, T, U, T),
        (U, F, F, U, U, U),
        (U, U, U, U, U, U),
    ],
)
def test_connectives_follow_the_truth_tables(
    a: bool | None,
    b: bool | None,
    conjunction: bool | None,
    disjunction: bool | None,
    exclusive: bool | None,
    implication: bool | None,
) -> None:
    assert evaluate("%a and %b", a=a, b=b) is conjunction
    assert evaluate("%a or %b", a=a, b=b) is disjunction
    assert evaluate("%a xor %b", a=a, b=b) is exclusive
    assert evaluate("%a implies %b", a=a, b=b) is implication


@pytest.mark.parametrize(("a", "negated", "exists"), [(T, F, T), (F, T, T), (U, U, F)])
def test_not_keeps_the_unknown_and_exists_tells_it(
    a: bool | None, negated: bool | None, exists: bool
) -> None:
    assert evaluate("%a.not()", a=a) is negated
    assert evaluate("%a.exists()", a=a) is exists


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "=", "!=", "+", "-", "*", "/"])
def test_an_absent_number_makes_a_comparison_or_a_sum_absent(operator: str) -> None:
    assert evaluate(f"%x {operator} 1", x=None) is None
    assert evaluate(f"1 {operator} %x", x=None) is None


def test_division_by_zero_is_absent() -> None:
    assert evaluate("1 / %x", x=0.0) is None
    assert evaluate("%x / %y", x=6.0, y=4.0) == 1.5


ABOVE_TEN = Interval(math.nextafter(10.0, 11), math.inf)
FROM_TEN = Interval(10.0, math.inf)
BELOW_TEN = Interval(-math.inf, math.nextafter(10.0, 9))
TO_TEN = Interval(-math.inf, 10.0)


@pytest.mark.parametrize(
    ("number", "less", "less_or_equal", "greater", "greater_or_equal"),
    [
        (ABOVE_TEN, F, F, T, T),
        (FROM_TEN, F, U, U, T),
        (BELOW_TEN, T, T, F, F),
        (TO_TEN, U, T, F, U),
        (Interval(5, 15), U, U, U, U),
        (Interval(11, 15), F, F, T, T),
        (Interval(5, 9), T, T, F, F),
    ],
)
def test_an_interval_compares_only_where_every_number_in_it_would(
    number: Interval,
    less: bool | None,
    less_or_equal: bool | None,
    greater: bool | None,
    greater_or_equal: bool | None,
) -> None:
    assert evaluate("%x < 10", x=number) is less
    assert evaluate("%x <= 10", x=number) is less_or_equal
    assert evaluate("%x > 10", x=number) is greater
    assert evaluate("%x >= 10", x=number) is greater_or_equal
    assert evaluate("10 > %x", x=number) is less


def test_an_interval_equals_nothing_that_it_may_or_may_not_be() -> None:
    assert evaluate("%x = 10", x=Interval(5, 15)) is None
    assert evaluate("%x != 10", x=Interval(5, 15)) is None


def test_an_interval_is_not_equal_to_a_number_outside_it() -> None:
    assert evaluate("%x = 10", x=Interval(11, 15)) in (False, None)
    assert evaluate("%x != 10", x=Interval(11, 15)) in (True, None)


def test_intervals_compare_with_each_other() -> None:
    assert evaluate("%x < %y", x=Interval(1, 2), y=Interval(3, 4)) is True
    assert evaluate("%x < %y", x=Interval(1, 3), y=Interval(3, 4)) is None
    assert evaluate("%x >= %y", x=Interval(4, 5), y=Interval(3, 4)) is True


def test_calculating_with_an_interval_is_absent() -> None:
    assert evaluate("%x + 1", x=Interval(1, 2)) is None
    assert evaluate("%x.exists()", x=Interval(1, 2)) is True
