"""Muted rules: they show no card and no line, but what they withhold stays withheld."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from cds_service.knowledge.call import Card
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.outcomes.evaluation import Evaluation, GateState
from cds_service.knowledge.outcomes.judging import RuleOutcome, opens


def can_be_muted(service: Service, rule: Rule) -> bool:
    """Whether a rule may be switched off: it makes a card, or has its own line.

    Rules of the gate, rules that narrow the cards, rules in a section that is never muted, and
    rules that only add a caution to other texts may not.
    """
    guards = rule.id in service.gate.silence or rule.only_slots is not None
    speaks = rule.slot is not None or rule.section not in (None, *service.never_muted)
    return speaks and not guards


def mute(service: Service, evaluation: Evaluation, rules: Set[str]) -> Evaluation:
    """The outcomes as if the rules did not apply, with all that is withheld because of them.

    Cards still say what is not known. A muted critical card silences other slots as if it were
    there. If only muted rules opened the gate, it is closed.
    """
    if not rules or evaluation.gate is not GateState.OPEN:
        return evaluation
    outcomes = dict(evaluation.outcomes)
    critical = set(evaluation.critical_slots)
    for rule_id in rules & outcomes.keys():
        outcome = outcomes[rule_id]
        if outcome.level == "info" and outcome.rule.section in service.never_muted:
            continue
        if outcome.level == "critical" and outcome.rule.slot:
            critical.add(outcome.rule.slot)
        outcomes[rule_id] = RuleOutcome(outcome.rule, outcome.facts, None)
    return replace(
        evaluation,
        outcomes=outcomes,
        gate=_gate(service, replace(evaluation, outcomes=outcomes)),
        critical_slots=frozenset(critical),
    )


def _gate(service: Service, evaluation: Evaluation) -> GateState:
    if evaluation.by_record is True or any(map(opens, evaluation.outcomes.values())):
        return GateState.OPEN
    unchecked = service.gate.unchecked.evaluate(evaluation.facts) is True
    return GateState.UNCHECKED if unchecked else GateState.CLOSED


def only_of(cards: tuple[Card, ...], rules: Set[str]) -> tuple[Card, ...]:
    """The cards that rest on any of the rules, with only these rules."""
    resting = (replace(card, rules=tuple(r for r in card.rules if r in rules)) for card in cards)
    return tuple(card for card in resting if card.rules)
