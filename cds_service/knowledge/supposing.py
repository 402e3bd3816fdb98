"""What would change an outcome: the rule is judged again with one fact supposed otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from cds_service.knowledge.answering import CDSService
from cds_service.knowledge.call import Call
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER, Expression
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.knowledge.outcomes.judging import RuleOutcome, judge
from cds_service.knowledge.record.record import PatientRecord

MOST_CHANGES = 6  # of one rule that are told
NONE, UNKNOWN = "does not apply", "unknown"


@dataclass(frozen=True, slots=True)
class Supposed:
    """With this value of one fact member, and all else as it is, the outcome would be another."""

    fact: str
    member: str
    value: bool | float
    outcome: str


def result_of(outcome: RuleOutcome) -> str:
    """critical, warning, info, unknown, or "does not apply"."""
    return outcome.level or (UNKNOWN if outcome.unknown else NONE)


class Supposing:
    """The facts of one call, with one of them supposed otherwise at a time.

    A supposed result is new: every fact that would read it has it. What is computed from these
    facts is computed again; all others stay as they were read.
    """

    def __init__(self, service: CDSService, call: Call, facts: Mapping[str, Any]) -> None:
        self._service, self._facts = service, facts
        self._record = (
            facts.record
            if isinstance(facts, Facts)
            else PatientRecord(call, service.terminology, service.statuses, service.lists)
        )
        self._known: dict[tuple[str, str, bool | float], Facts] = {}

    def changes_of(self, rule: Rule, outcome: RuleOutcome) -> tuple[Supposed, ...]:
        """The single values that would give a rule another outcome that is known, worst first."""
        now = result_of(outcome)
        found: dict[tuple[str, str, str], Supposed] = {}
        for fact, member, value in self._alternatives(rule.levels.values()):
            then = result_of(judge(rule, self._with(fact, member, value)))
            if then not in (now, UNKNOWN):
                found.setdefault((fact, member, then), Supposed(fact, member, value, then))
        return tuple(found.values())[:MOST_CHANGES]

    def changes_of_gate(self) -> tuple[Supposed, ...]:
        """The single values with which the record would open the gate, or let a rule open it."""
        found: dict[tuple[str, str], Supposed] = {}
        gate = self._service.gate
        for condition, outcome in ((gate.when, "open"), (gate.opened_by_rules, "by-rule")):
            if condition.evaluate(self._facts) is True:
                continue
            for fact, member, value in self._alternatives([condition]):
                if condition.evaluate(self._with(fact, member, value)) is True:
                    change = Supposed(fact, member, value, outcome)
                    found.setdefault((fact, member), change)
        return tuple(found.values())

    def _with(self, name: str, member: str, value: bool | float) -> Facts:
        key = (name, member, value)
        if key not in self._known:
            supposed = {
                reader: self._supposed(reader, member, value)
                for reader in self._readers(name, member, value)
            }
            above = self._service.relevance.above
            computed = set[str]().union(*(above[reader] for reader in supposed))
            kept = {other: fact for other, fact in self._facts.items() if other not in computed}
            self._known[key] = Facts(self._service.facts, self._record, absent=kept | supposed)
        return self._known[key]

    def _readers(self, name: str, member: str, value: bool | float) -> Iterable[str]:
        """The fact, and the others that would read the result that gives it this value."""
        yield name
        result = self._service.facts[name]
        if member != "value" or not isinstance(result, ObservationDefinition):
            return
        for other, definition in self._service.facts.items():
            if (
                other != name
                and isinstance(definition, ObservationDefinition)
                and result.value_sets[0] in definition.value_sets
                and definition.quantity == result.quantity
                and (definition.at_least is None or value >= definition.at_least)
            ):
                yield other

    def _supposed(self, name: str, member: str, value: bool | float) -> Any:
        """The fact as an example tells it, or as it is but for one member."""
        definition = self._service.facts[name]
        kind = kind_of(definition)
        if member in ("value", kind.main, "present"):
            return kind.example(definition, value, self._facts)
        fact: Any = self._facts[name]
        if fact.value is not True:
            fact = kind.example(definition, True, self._facts)
        return replace(fact, **{member: value})

    def _alternatives(
        self, conditions: Iterable[Expression]
    ) -> Iterable[tuple[str, str, bool | float]]:
        """Each fact member that the conditions name, with each other value that could matter."""
        conditions = tuple(conditions)
        limits = [limit for condition in conditions for limit in condition.limits]
        for path in dict.fromkeys(name for condition in conditions for name in condition.names):
            name, _, member = path.partition(".")
            definition = self._service.facts[name]
            kind = kind_of(definition)
            type_ = kind.members(definition)[member] if member else ""
            if not self._can_suppose(name, member):
                continue
            if type_ == BOOLEAN:
                is_so = getattr(self._facts[name], member)
                yield from ((name, member, value) for value in (True, False) if value is not is_so)
            elif type_ == NUMBER:
                spoken = (
                    (f"%{path}", f"%{name}") if member in ("value", kind.main) else (f"%{path}",)
                )
                numbers = {limit.number for limit in limits if limit.compared in spoken}
                for number in sorted(numbers):
                    step = _step(number)
                    for value in (number - step, number, number + step):
                        yield name, member, round(value, 9)

    def _can_suppose(self, name: str, member: str) -> bool:
        definition = self._service.facts[name]
        kind: Any = kind_of(definition)
        members = {field.name for field in fields(kind.fact)}
        return member in ("value", kind.main, "present") or member in members


def _step(number: float) -> float:
    """One in the last place of a number as it is written: 1 for 35, 0.1 for 3.5."""
    decimals = f"{number:g}".partition(".")[2]
    return float(10 ** -len(decimals))
