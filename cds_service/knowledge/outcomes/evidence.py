"""The trace of a card: its rules, their facts by name, and what nearly applied.

Cards with the same evidence have the same fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from cds_service.knowledge.call import Card, Resource, Trace, TracedRule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.facts.kind import ABSENT
from cds_service.knowledge.outcomes.evaluation import Evaluation, GateState
from cds_service.knowledge.outcomes.relevance import Relevance
from cds_service.knowledge.record.quantities import number_text

# Facts in these states can leave a condition unknown.
LACKING = frozenset({"missing", "stale", "unreadable", "not-retrieved", "unknown"})
# What a server or a program writes into a resource without changing what it says.
_SAYS_NOTHING = ("meta", "text")


def trace(card: Card, service: Service, evaluation: Evaluation, relevance: Relevance) -> Card:
    """The card with its trace and its fingerprint."""
    if evaluation.gate is GateState.UNCHECKED:
        gaps = {name: fact for name, fact in evaluation.facts.items() if fact.is_gap()}
        return replace(card, fingerprint=_fingerprint((), gaps), trace=Trace((), _by_state(gaps)))
    rules, facts = _behind(card.rules, service, evaluation, relevance)
    silenced_rules, silenced_facts = _behind(card.silenced, service, evaluation, relevance)
    return replace(
        card,
        # The evidence of what it silences counts too: a new danger brings the card back.
        fingerprint=_fingerprint(rules + silenced_rules, facts | silenced_facts) if rules else "",
        trace=Trace(
            rules=rules,
            facts=_by_state(facts),
            values={name: _value(fact) for name, fact in facts.items() if _has_value(fact)},
        ),
    )


def _by_state(facts: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of the facts by their state, without those that are absent."""
    by_state: dict[str, list[str]] = {}
    for name, fact in facts.items():
        by_state.setdefault(fact.standing(), []).append(name)
    by_state.pop(ABSENT, None)
    return {state: tuple(names) for state, names in by_state.items()}


def near_misses(evaluation: Evaluation, relevance: Relevance) -> Mapping[str, tuple[str, ...]]:
    """The rules that could not be decided, each with the facts that were missing."""
    facts, evidence = evaluation.facts, relevance.evidence
    open_ = [
        id_ for id_, outcome in evaluation.outcomes.items() if outcome.unknown and not outcome.level
    ]
    # A fact that was not read cannot be the reason.
    named = {name for id_ in open_ for name in evidence[id_] if name in facts}
    lacking = {name for name in named if facts[name].standing() in LACKING}
    return {id_: tuple(name for name in evidence[id_] if name in lacking) for id_ in open_}


def _behind(
    ids: Iterable[str], service: Service, evaluation: Evaluation, relevance: Relevance
) -> tuple[tuple[TracedRule, ...], dict[str, Any]]:
    """The outcomes of rules and causes, and the facts behind them by name."""
    evidence = relevance.evidence
    rules = tuple(_rule(id_, service, evaluation) for id_ in ids)
    names = (name for rule in rules for name in evidence.get(rule.id, ()))
    return rules, {name: evaluation.facts[name] for name in names}


def _rule(id_: str, service: Service, evaluation: Evaluation) -> TracedRule:
    """A rule with its level; a cause, or a rule that only withholds, has none."""
    outcome = evaluation.outcomes.get(id_)
    if outcome is not None:
        level = outcome.level or "withholds"
    else:
        level = (
            "listed" if any(cause.cause.id == id_ for cause in evaluation.causes) else "not-listed"
        )
    return TracedRule(id_, service.governed[id_].version, level)


def _fingerprint(rules: Iterable[TracedRule], facts: Mapping[str, Any]) -> str:
    """A hash over the rules with their levels, and over all that was read for them.

    The day, the order of the resources and the call itself are not in it.
    """
    # Many facts, and many parts of a panel, come from one resource.
    behind = {id(resource): resource for fact in facts.values() for resource in fact.resources}
    resources = {_digest(resource) for resource in behind.values()}
    evidence = [
        sorted((rule.id, rule.level) for rule in rules),
        sorted([name, *stated] for name, fact in facts.items() if (stated := fact.stated())),
        sorted(resources),
    ]
    return hashlib.sha256(orjson.dumps(evidence)).hexdigest()


def _digest(resource: Resource) -> str:
    content = {key: value for key, value in resource.items() if key not in _SAYS_NOTHING}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _has_value(fact: Any) -> bool:
    return not isinstance(fact.value, bool | None)


def _value(fact: Any) -> str:
    value = fact.value
    return value if isinstance(value, str) else number_text(value)
