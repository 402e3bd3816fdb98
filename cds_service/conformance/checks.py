"""What was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from cds_service.conformance.rules import RULES, Rule

_MOST_FAULTS = 5  # that are told of one rule; the rest are counted


class Outcome(StrEnum):
    """What a rule came to at one service."""

    PASSED = "passed"
    WARNED = "warning"
    FAILED = "FAILED"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one rule. `fault` says what was seen instead, "" if the rule held."""

    rule: str
    fault: str = ""
    outcome: Outcome = Outcome.PASSED

    def about(self, what: str) -> Self:
        """The same check, whose fault says first what it is about."""
        return replace(self, fault=self.fault and f"{what}: {self.fault}")


def held(rule: str, holds: object, fault: str, *, only_warns: bool = False) -> Check:
    """The check of a rule; if it does not hold, a warning for a SHOULD, otherwise a failure."""
    if holds:
        return Check(rule)
    is_warning = only_warns or RULES[rule].level == "SHOULD"
    return Check(rule, fault, Outcome.WARNED if is_warning else Outcome.FAILED)


def only_known(rule: str, value: Mapping[str, Any], known: Set[str]) -> Check:
    """The check of a rule that an object has no members but the known ones."""
    unknown = value.keys() - known
    return held(rule, not unknown, f"unknown members: {', '.join(sorted(unknown))}")


def not_tried(rule: str, reason: str) -> Check:
    """A rule that could not be tried, and why."""
    return Check(rule, reason, Outcome.NOT_TRIED)


@dataclass(slots=True)
class Result:
    """All checks of one rule at one place: a service, `discovery`, or `every answer`."""

    rule: Rule
    place: str
    tried: int = 0
    outcome: Outcome = Outcome.NOT_TRIED
    faults: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The faults as one text, the first ones only."""
        more = len(self.faults) - _MOST_FAULTS
        return "; ".join(self.faults[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")

    def take(self, check: Check) -> None:
        """Add a check: the worst of all of them counts."""
        self.tried += check.outcome is not Outcome.NOT_TRIED
        if check.fault and check.fault not in self.faults:
            self.faults.append(check.fault)
        worst = (Outcome.NOT_TRIED, Outcome.PASSED, Outcome.WARNED, Outcome.FAILED)
        self.outcome = max(self.outcome, check.outcome, key=worst.index)
        if self.outcome is Outcome.PASSED:
            self.faults.clear()


def results(place: str, checks: Iterable[Check]) -> Iterator[Result]:
    """One result for each rule that was looked at, in the order of the rules."""
    found: dict[str, Result] = {}
    for check in checks:
        found.setdefault(check.rule, Result(RULES[check.rule], place)).take(check)
    yield from (found[id_] for id_ in RULES if id_ in found)
