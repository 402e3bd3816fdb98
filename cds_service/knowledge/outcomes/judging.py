"""Decides one rule: the level at which it applies, whether it opens the gate, what it withholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.knowledge.content.artifacts import LEVELS, Rule, Withhold

# The words of `layout` for reasons that belong to no rule: what decides could not be read, and a
# card comes first.
UNREAD, WARNED = OF_LAYOUT = ("unread", "warned")
# Behind every outcome that has an urgency.
LEAST_URGENT = 1000


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """The level at which a rule applies, or None; `unknown` when the record does not say.

    `facts` is the reading of the record that led to a level, for the words; None is the first one.
    """

    rule: Rule
    facts: Mapping[str, Any] | None = field(repr=False)
    level: str | None
    unknown: bool = False

    @property
    def urgency(self) -> int:
        """Its place among outcomes of its level: the lowest number comes first."""
        return self.rule.urgency.get(str(self.level), LEAST_URGENT)


def judge(
    rule: Rule, facts: Mapping[str, Any], *, baseline: RuleOutcome | None = None
) -> RuleOutcome:
    """The worst level whose condition is true; unknown if none is true and one is unknown.

    `baseline` is the outcome for an empty record: where nothing else comes out, it is the answer.
    """
    unknown = False
    for level, condition in rule.levels.items():
        holds = condition.evaluate(facts)
        if holds:
            return RuleOutcome(rule, facts, level, unknown)
        unknown = unknown or holds is None
    if baseline and baseline.level is None and baseline.unknown == unknown:
        return baseline
    return RuleOutcome(rule, None, None, unknown)


def worse(one: RuleOutcome, other: RuleOutcome) -> RuleOutcome:
    """The outcome at the worse level, of two readings of one record."""
    if one.level is None:
        return other if other.level else one
    if other.level is None:
        return one
    return min(one, other, key=lambda outcome: LEVELS.index(str(outcome.level)))


def most_urgent_first(outcomes: Iterable[RuleOutcome]) -> list[RuleOutcome]:
    """Outcomes that apply, the worst level first, and within a level by urgency."""
    return sorted(outcomes, key=lambda outcome: (LEVELS.index(str(outcome.level)), outcome.urgency))


def opens(outcome: RuleOutcome) -> bool:
    """Whether a rule opens the gate."""
    level, least = outcome.level, outcome.rule.opens
    return bool(level and least) and LEVELS.index(str(level)) <= LEVELS.index(str(least))


def is_unread(withhold: Withhold, facts: Mapping[str, Any]) -> bool:
    """Whether a condition for withholding stays open because a value on record is unreadable."""
    when = withhold.when
    if when is None or when.evaluate(facts) is not None:
        return False
    return any(facts[name].standing() == "unreadable" for name in when.facts)


def withholds(
    withhold: Withhold, outcome: RuleOutcome, readings: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a rule takes its items away: in any reading, or whenever it applies."""
    if withhold.when is None:
        return outcome.level is not None
    if any(withhold.when.evaluate(facts) is True for facts in readings):
        return True
    return is_unread(withhold, readings[0])
