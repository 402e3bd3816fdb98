"""What could not be checked: whether there might be cards if all data were there and readable.

This is only asked after a failed list, or a resource or value that could not be read. Lists that
were not sent, and tests that were never done, do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from cds_service.knowledge.content.artifacts import LEVELS, Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.outcomes.relevance import Relevance


def might_open(service: Service, facts: Facts, relevance: Relevance, muted: Set[str]) -> bool:
    """Whether a gate that is closed with these facts might be open; `muted` rules open nothing."""
    if not facts.has_gaps:
        return False
    facts = facts.doubted()
    if _Question(relevance, facts, service.gate.when).is_open:
        return True
    by_rules = _Question(relevance, facts, service.gate.opened_by_rules)
    if not (by_rules.is_open or by_rules.holds):
        return False
    rules = [_Question(relevance, facts, condition) for condition in _opening(service.rules, muted)]
    return any(rule.is_open or (rule.holds and by_rules.is_open) for rule in rules)


class _Question:
    """A condition that could open the gate: whether it holds, or is open because of a gap."""

    def __init__(self, relevance: Relevance, facts: Facts, condition: Expression) -> None:
        value = condition.evaluate(facts)
        below = (relevance.below[name] for name in condition.facts)
        self.holds = value is True
        self.is_open = value is None and any(
            facts[name].is_gap() for names in below for name in names
        )


def _opening(rules: Iterable[Rule], muted: Set[str]) -> Iterable[Expression]:
    """The conditions of rules at the levels that open the gate without the symptom."""
    for rule in rules:
        if rule.opens is None or rule.id in muted:
            continue
        least = LEVELS.index(rule.opens)
        yield from (when for level, when in rule.levels.items() if LEVELS.index(level) <= least)
