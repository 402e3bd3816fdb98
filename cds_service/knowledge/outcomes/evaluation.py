"""Evaluates the knowledge for one patient: outcomes of rules and causes, and what is withheld."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

from cds_service.knowledge.content.artifacts import Cause, Gate, Reason, Rule, Withhold
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.outcomes.judging import (
    UNREAD,
    WARNED,
    RuleOutcome,
    is_unread,
    judge,
    opens,
    withholds,
    worse,
)
from cds_service.knowledge.outcomes.relevance import Relevance
from cds_service.knowledge.record.record import PatientRecord

# Withheld under these names: every drug, every measure, every cause.
ALL_DRUGS, ALL_MEASURES, ALL_CAUSES = "drugs", "measures", "causes"


class GateState(StrEnum):
    """Whether cards are possible; UNCHECKED means that missing data leaves this open."""

    CLOSED = "closed"
    OPEN = "open"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class CauseOutcome:
    """How far the record supports a cause. `unmet` are requirements, `excluded` exclusions."""

    cause: Cause
    points: int
    because: tuple[str, ...]
    unmet: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def is_possible(self) -> bool:
        """Whether only its points still decide."""
        return not self.unmet and not self.excluded


@dataclass(frozen=True, slots=True)
class Because:
    """The rule that withholds something, and the part of its words that says why."""

    rule: str
    part: str


@dataclass(frozen=True)
class Evaluation:
    """All outcomes for one patient. `withheld` maps an item to the reasons."""

    facts: Mapping[str, Any]
    gate: GateState
    by_record: bool | None = None  # whether the gate opens without any rule
    outcomes: Mapping[str, RuleOutcome] = field(default_factory=dict)
    causes: Sequence[CauseOutcome] = ()
    not_listed: Sequence[CauseOutcome] = ()
    withheld: Mapping[str, tuple[Because, ...]] = field(default_factory=dict)
    only_slots: frozenset[str] | None = None
    demoted: frozenset[str] = frozenset()  # drugs that come after the others of their class
    critical_slots: frozenset[str] = frozenset()  # where a muted rule would be critical

    @cached_property
    def applied(self) -> tuple[RuleOutcome, ...]:
        """The outcomes of the rules that apply, in the order of the rules."""
        return _applied(self.outcomes)

    def why_withheld(self, *items: str) -> tuple[Because, ...]:
        """The reasons against any of the items, each once."""
        reasons = (reason for item in items for reason in self.withheld.get(item, ()))
        return tuple(dict.fromkeys(reasons))


def evaluate(service: Service, record: PatientRecord, relevance: Relevance) -> Evaluation:
    """The outcomes for a record; rules are looked at only once the gate may open."""
    baseline = relevance.baseline(record)
    absent = baseline.absent_facts(record)
    facts = Facts(service.facts, record, absent=absent)
    if is_silenced(service, facts):
        return Evaluation(facts, GateState.CLOSED)

    def every_reading() -> list[Facts]:
        """If several values may be true, the safest of all outcomes counts.

        An uncertain value warns as if it were true, but supports nothing.
        """
        read = partial(Facts, service.facts, record, absent=absent)
        return [facts, read(highest=True), read(certain=True)]

    possible = _may_open(service.gate, [facts])
    if facts.conflicts and possible is not True:
        possible = _may_open(service.gate, every_reading())
    if possible is not True:
        unchecked = service.gate.unchecked.evaluate(facts) is True and possible is None
        return Evaluation(facts, GateState.UNCHECKED if unchecked else GateState.CLOSED)
    rules = baseline.rules_to_judge(service, record)
    if not facts.conflicts:
        evaluation = assess(service, [facts], rules, baseline.outcomes)
        # The first evaluation may show that a value has a rival.
        if not facts.conflicts:
            return evaluation
    return assess(service, every_reading(), rules, baseline.outcomes)


def is_silenced(service: Service, facts: Mapping[str, Any]) -> bool:
    """Whether a rule silences all cards."""
    return any(judge(rule, facts).level for rule in service.silencing_rules)


def assess(
    service: Service,
    readings: Sequence[Mapping[str, Any]],
    rules: Sequence[Rule] | None = None,
    baseline: Mapping[str, RuleOutcome] = MappingProxyType({}),
) -> Evaluation:
    """The outcomes for facts; of several readings of one record the worst outcome counts.

    With `rules`, only these are judged; the others have the outcome in `baseline`.
    """
    facts = readings[0]
    judged = service.rules if rules is None else rules
    outcomes = dict(baseline)
    for rule in judged:
        outcomes[rule.id] = judge(rule, facts, baseline=baseline.get(rule.id))
        for reading in readings[1:]:
            outcomes[rule.id] = worse(outcomes[rule.id], judge(rule, reading))
    by_record = _in_any(service.gate.when, readings)
    applied = _applied(outcomes)
    if by_record is not True and not any(map(opens, applied)):
        unchecked = service.gate.unchecked.evaluate(facts) is True
        return Evaluation(facts, GateState.UNCHECKED if unchecked else GateState.CLOSED)
    withheld = _withheld(service, applied, [outcomes[rule.id] for rule in judged], readings)
    causes = [weigh(cause, readings, withheld) for cause in service.causes]
    listed, not_listed = _rank(service, causes)
    return Evaluation(
        facts=facts,
        gate=GateState.OPEN,
        by_record=by_record,
        outcomes=outcomes,
        causes=listed,
        not_listed=not_listed,
        withheld=withheld,
        only_slots=_only_slots(applied),
        demoted=frozenset(drug for outcome in applied for drug in outcome.rule.demote),
    )


def _may_open(gate: Gate, readings: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the record, or a rule, can open the gate in any of the readings."""
    by_rules = _in_any(gate.opened_by_rules, readings)
    if by_rules is True:
        return True
    by_record = _in_any(gate.when, readings)
    return None if by_rules is None and not by_record else by_record


def _in_any(condition: Expression, readings: Sequence[Mapping[str, Any]]) -> bool | None:
    """True if a condition holds in one reading; unknown if in none, but unknown in one."""
    values = [condition.evaluate(facts) for facts in readings]
    return True if True in values else None if None in values else False


def _applied(outcomes: Mapping[str, RuleOutcome]) -> tuple[RuleOutcome, ...]:
    return tuple(outcome for outcome in outcomes.values() if outcome.level)


def _because(
    outcome: RuleOutcome, withhold: Withhold, readings: Sequence[Mapping[str, Any]]
) -> Because:
    """The words of the rule, or those that say that its value could not be read."""
    part = UNREAD if is_unread(withhold, readings[0]) else withhold.because
    return Because(outcome.rule.id, part)


def _withheld(
    service: Service,
    applied: Sequence[RuleOutcome],
    outcomes: Iterable[RuleOutcome],
    readings: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[Because, ...]]:
    found: dict[str, list[Because]] = {}
    for outcome in outcomes:
        for withhold in outcome.rule.withhold:
            for item in withhold.items if withholds(withhold, outcome, readings) else ():
                found.setdefault(item, []).append(_because(outcome, withhold, readings))
    for slot in service.slots:
        warned = [
            outcome
            for outcome in applied
            if outcome.rule.slot == slot.id and outcome.level != "info"
        ]
        for item in slot.withholds if warned else ():
            found.setdefault(item, []).append(Because(warned[0].rule.id, WARNED))
    return {item: tuple(reasons) for item, reasons in found.items()}


def _only_slots(applied: Iterable[RuleOutcome]) -> frozenset[str] | None:
    limits = [
        frozenset(outcome.rule.only_slots)
        for outcome in applied
        if outcome.rule.only_slots is not None
    ]
    return frozenset.intersection(*limits) if limits else None


def weigh(
    cause: Cause, readings: Sequence[Mapping[str, Any]], withheld: Mapping[str, tuple[Because, ...]]
) -> CauseOutcome:
    """The outcome of a cause: points count only if they hold in every reading."""
    points = 0
    because: list[str] = []
    for group in cause.points:
        held = [reason.because for reason in group.reasons if _holds(reason, readings)]
        points += min(len(held) * group.each, group.at_most)
        because.extend(held)
    unmet = tuple(reason.because for reason in cause.requires if not _holds(reason, readings))
    excluded = tuple(
        dict.fromkeys(
            reason.because
            for reason in cause.excludes
            for facts in readings
            if reason.when.evaluate(facts) is True
        )
    )
    if cause.id in withheld or ALL_CAUSES in withheld:
        excluded = (*excluded, "withheld")
    return CauseOutcome(cause, points, tuple(because), unmet, excluded)


def _holds(reason: Reason, readings: Sequence[Mapping[str, Any]]) -> bool:
    for facts in readings:
        if reason.when.evaluate(facts) is not True:
            return False
    return True


def _rank(
    service: Service, causes: Sequence[CauseOutcome]
) -> tuple[list[CauseOutcome], list[CauseOutcome]]:
    """Causes by support, equal ones in the order of `ties`; then those kept off the list."""
    supported = [outcome for outcome in causes if outcome.points >= service.least_points]
    listed = [outcome for outcome in supported if outcome.is_possible]
    listed.sort(key=lambda outcome: (-outcome.points, service.ties.index(outcome.cause.id)))
    return listed, [outcome for outcome in supported if not outcome.is_possible]
