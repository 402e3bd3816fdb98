"""Which results lie outside of their range and have no rule of their own."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.knowledge.facts.results import Result, is_outside
from cds_service.knowledge.record.quantities import Interval, Number

NONE = (None, None)


class Stated:
    """As much of a statement as is looked at."""

    def __init__(self, flag: str | None) -> None:
        self.element: dict[str, Any] = {}
        if flag:
            self.element["interpretation"] = [{"coding": [{"code": flag}]}]


def result(number: Number | None, flag: str | None = None) -> Result:
    """A result with a number and what the laboratory flags."""
    return Result(Stated(flag), number, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "flag", "stated", "usual", "outside"),
    [
        (5.4, None, (3.5, 5.3), NONE, True),
        (5.3, None, (3.5, 5.3), NONE, False),
        (5.2, None, (3.5, 5.3), NONE, False),
        (3.6, None, (3.7, 5.3), NONE, True),
        (3.7, None, (3.7, 5.3), NONE, False),
        (4.0, "H", (3.5, 5.3), NONE, True),
        (4.0, "ll", NONE, NONE, True),
        (4.0, "N", NONE, NONE, False),
        (4.0, None, NONE, NONE, None),
        (5.5, None, NONE, (3.5, 5.4), True),
        (5.4, None, NONE, (3.5, 5.4), False),
        (5.5, None, (3.5, 5.6), (3.5, 5.4), False),
        (5.5, None, (None, 5.6), (3.5, 5.4), False),
        (Interval(5.5, 5.7), None, (3.5, 5.3), NONE, True),
        (None, "H", (3.5, 5.3), NONE, None),
    ],
)
def test_a_result_is_outside_by_its_flag_its_range_or_what_is_usual(
    number: Number | None, flag: str | None, stated: Any, usual: Any, outside: bool | None
) -> None:
    assert is_outside(result(number, flag), stated, usual, (3.5, 5.99)) is outside


@pytest.mark.parametrize(("number", "outside"), [(3.4, False), (3.5, True), (6.0, False)])
def test_beyond_silent_the_rules_speak_themselves(number: float, outside: bool) -> None:
    assert is_outside(result(number, "A"), NONE, NONE, (3.5, 5.99)) is outside


def test_a_fact_without_silent_tells_nothing() -> None:
    assert is_outside(result(9.0, "H"), (3.5, 5.3), NONE, None) is None
