"""Why a call has these cards, or none: facts, outcomes and what would change them, as data.

It is read off the one evaluation of the call. What would change a rule is found by judging the rule
again with one fact supposed otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from cds_service.knowledge.answering import CDSService, decide
from cds_service.knowledge.call import Call
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.facts.expression import ExpressionDefinition
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.outcomes.evaluation import CauseOutcome, Evaluation, GateState
from cds_service.knowledge.outcomes.judging import RuleOutcome, judge
from cds_service.knowledge.record.fhir_json import reference_of
from cds_service.knowledge.record.quantities import Interval, number_text
from cds_service.knowledge.supposing import Supposed, Supposing, result_of


@dataclass(frozen=True, slots=True)
class ExplainedFact:
    """A fact that was looked at.

    `standing` is present, absent, unknown or the state of a measurement; `members` are those that
    have a value, `resources` the references of what it was read from; `computed` is the condition
    of a fact that is computed from others.
    """

    name: str
    kind: str
    standing: str
    members: Mapping[str, Any]
    resources: tuple[str, ...]
    computed: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule and its outcome: critical, warning, info, unknown, or "does not apply".

    `conditions` are the texts of its levels, `looked_at` the fact members that they name, `lacking`
    the facts behind them that are not known; `changes` are single facts that would change it.
    """

    id: str
    title: str
    version: str
    outcome: str
    conditions: Mapping[str, str]
    looked_at: tuple[str, ...]
    lacking: tuple[str, ...]
    changes: tuple[Supposed, ...]


@dataclass(frozen=True, slots=True)
class ExplainedCause:
    """How far the record supports a cause; listed if nothing is `unmet` or `excluded`."""

    id: str
    title: str
    points: int
    because: tuple[str, ...]
    unmet: tuple[str, ...]
    excluded: tuple[str, ...]
    is_listed: bool


@dataclass(frozen=True, slots=True)
class ExplainedGate:
    """Whether cards are possible: closed, open, or unchecked.

    `silenced_by` are the rules that silence all cards; `conditions` are what opens it: by the
    record alone, and by rules; `changes` are single facts that would change whether it opens.
    """

    state: str
    silenced_by: tuple[str, ...]
    conditions: tuple[str, ...]
    looked_at: tuple[str, ...]
    changes: tuple[Supposed, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that led to the cards of a call, with values of the record."""

    gate: ExplainedGate
    facts: Mapping[str, ExplainedFact]
    rules: tuple[ExplainedRule, ...]
    causes: tuple[ExplainedCause, ...]
    withheld: Mapping[str, tuple[str, ...]]


def explain(service: CDSService, call: Call, *, with_changes: bool = True) -> Explanation:
    """Why a call has its cards. Every rule is judged, also if the gate is closed.

    Without `with_changes` nobody is told what would change a rule, which takes most of the time.
    """
    return explained(service, call, decide(service, call), with_changes=with_changes)


def explained(
    service: CDSService, call: Call, evaluation: Evaluation, *, with_changes: bool = True
) -> Explanation:
    """The same for an evaluation that is there."""
    facts = evaluation.facts
    outcomes = [evaluation.outcomes.get(rule.id) or judge(rule, facts) for rule in service.rules]
    supposing = Supposing(service, call, facts) if with_changes else None
    rules = tuple(_rule(service, outcome, facts, supposing) for outcome in outcomes)
    gate = _gate(service, evaluation, outcomes, supposing)
    return Explanation(
        gate=gate,
        facts={name: _fact(service, name, facts[name]) for name in sorted(facts)},
        rules=rules,
        causes=(
            *(_cause(cause, is_listed=True) for cause in evaluation.causes),
            *(_cause(cause, is_listed=False) for cause in evaluation.not_listed),
        ),
        withheld={
            item: tuple(reason.rule for reason in reasons)
            for item, reasons in sorted(evaluation.withheld.items())
        },
    )


def _fact(service: CDSService, name: str, fact: Any) -> ExplainedFact:
    definition = service.facts[name]
    return ExplainedFact(
        name=name,
        kind=kind_of(definition).key,
        standing=fact.standing(),
        members=_members(fact),
        resources=tuple(reference_of(resource) for resource in fact.resources),
        computed=definition.expression.text if isinstance(definition, ExpressionDefinition) else "",
    )


def _members(fact: Any) -> dict[str, Any]:
    """The members of a fact that have a value; intervals and names of facts as text."""
    members: dict[str, Any] = {}
    for member in fields(fact):
        value = getattr(fact, member.name)
        if member.name != "resources" and value not in (None, (), 0, ""):
            members[member.name] = number_text(value) if isinstance(value, Interval) else value
    return members


def _rule(
    service: CDSService,
    outcome: RuleOutcome,
    facts: Mapping[str, Any],
    supposing: Supposing | None,
) -> ExplainedRule:
    rule = outcome.rule
    behind = service.relevance.evidence[rule.id]
    return ExplainedRule(
        id=rule.id,
        title=rule.governance.title,
        version=rule.governance.version,
        outcome=result_of(outcome),
        conditions={level: condition.text for level, condition in rule.levels.items()},
        looked_at=_named(rule),
        lacking=tuple(name for name in behind if name in facts and facts[name].value is None)
        if outcome.unknown
        else (),
        changes=supposing.changes_of(rule, outcome) if supposing else (),
    )


def _named(rule: Rule) -> tuple[str, ...]:
    return tuple(sorted({name for level in rule.levels.values() for name in level.names}))


def _gate(
    service: CDSService,
    evaluation: Evaluation,
    outcomes: Sequence[RuleOutcome],
    supposing: Supposing | None,
) -> ExplainedGate:
    silencing = {rule.id for rule in service.silencing_rules}
    gate = service.gate
    return ExplainedGate(
        state=evaluation.gate.value,
        silenced_by=tuple(
            outcome.rule.id
            for outcome in outcomes
            if outcome.level and outcome.rule.id in silencing
        ),
        conditions=(gate.when.text, gate.opened_by_rules.text),
        looked_at=tuple(dict.fromkeys((*gate.when.names, *gate.opened_by_rules.names))),
        changes=supposing.changes_of_gate()
        if supposing and evaluation.gate is not GateState.OPEN
        else (),
    )


def _cause(outcome: CauseOutcome, *, is_listed: bool) -> ExplainedCause:
    return ExplainedCause(
        id=outcome.cause.id,
        title=outcome.cause.governance.title,
        points=outcome.points,
        because=outcome.because,
        unmet=outcome.unmet,
        excluded=outcome.excluded,
        is_listed=is_listed,
    )
