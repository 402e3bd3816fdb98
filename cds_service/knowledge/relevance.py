"""Which rules and facts a record can concern: the others are as they are for an empty record.

Most rules speak of things that are not on record. What they come to is known when the knowledge
loads, so that a call costs what its record holds, however many rules there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cds_service.knowledge.artifacts import Call, Retrieval, Retrieved
from cds_service.knowledge.conditions import ConditionDefinition, keys_of_condition
from cds_service.knowledge.content import Rule, Service
from cds_service.knowledge.evaluation import RuleOutcome, judge
from cds_service.knowledge.expressions import Expression
from cds_service.knowledge.facts import (
    Definition,
    ExpressionDefinition,
    Facts,
    GroupDefinition,
    ListDefinition,
    PatientDefinition,
)
from cds_service.knowledge.medications import MedicationDefinition
from cds_service.knowledge.observations import ObservationDefinition
from cds_service.knowledge.record import PatientRecord

Key = tuple[str, str]  # a FHIR resource type and a value set, as the record is indexed
_ALWAYS: Key = ("", "")


@dataclass(frozen=True)
class Relevance:
    """What stays as it is on an empty record, and what each key of a record's index touches.

    `baseline` is every rule and `absent` every fact on an empty record; `rules` and `facts` are
    those that a key touches.
    """

    baseline: Mapping[str, RuleOutcome]
    absent: Mapping[str, Any]
    rules: Mapping[Key, frozenset[int]]
    facts: Mapping[Key, frozenset[str]]

    def rules_to_judge(self, service: Service, record: PatientRecord) -> Sequence[Rule]:
        """The rules whose outcome may differ from the baseline, in their order.

        Every rule when a list did not come whole: absence means something else then.
        """
        if not _came_whole(service, record):
            return service.rules
        numbers: set[int] = set(self.rules.get(_ALWAYS, ()))
        for key in record.keys:
            numbers |= self.rules.get(key, frozenset())
        return [service.rules[number] for number in sorted(numbers)]

    def absent_facts(self, service: Service, record: PatientRecord) -> Mapping[str, Any]:
        """The facts that this record does not touch; none when a list did not come whole."""
        if not _came_whole(service, record):
            return {}
        absent = dict(self.absent)
        for key in record.keys:
            for name in self.facts.get(key, ()):
                absent.pop(name, None)
        return absent


def _came_whole(service: Service, record: PatientRecord) -> bool:
    return all(record.is_complete(key) for key in service.prefetch)


def relevance_of(service: Service) -> Relevance:
    """What the rules and facts of a service depend on."""
    facts = Facts(service.facts, _empty_record(service))
    baseline = {rule.id: judge(rule, facts, for_baseline=True) for rule in service.rules}
    rules: dict[Key, set[int]] = defaultdict(set)
    for number, rule in enumerate(service.rules):
        for key in _keys_of_rule(rule, service.facts):
            rules[key].add(number)
        if any(_withholds(each.when, baseline[rule.id], facts) for each in rule.withhold):
            rules[_ALWAYS].add(number)
    touched: dict[Key, set[str]] = defaultdict(set)
    for name in service.facts:
        for key in _keys_of_fact(name, service.facts):
            touched[key].add(name)
    return Relevance(
        baseline=baseline,
        absent={name: facts[name] for name in service.facts if name not in touched[_ALWAYS]},
        rules={key: frozenset(numbers) for key, numbers in rules.items()},
        facts={key: frozenset(names) for key, names in touched.items()},
    )


def _withholds(when: Expression | None, outcome: RuleOutcome, facts: Facts) -> bool:
    return outcome.level is not None if when is None else when.evaluate(facts) is True


def _empty_record(service: Service) -> PatientRecord:
    states = dict.fromkeys(service.prefetch, Retrieval.COMPLETE)
    call = Call(
        Retrieved((), states), "", "Practitioner/", "", datetime(2000, 1, 1, tzinfo=UTC), ""
    )
    return PatientRecord(call, service.terminology)


def _keys_of_rule(rule: Rule, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    conditions = [*rule.levels.values(), *(each.when for each in rule.withhold), rule.section_when]
    for condition in conditions:
        yield from _keys_of_expression(condition, definitions)


def _keys_of_expression(
    expression: Expression | None, definitions: Mapping[str, Definition]
) -> Iterable[Key]:
    for path in expression.names if expression else ():
        yield from _keys_of_fact(path.partition(".")[0], definitions)


def _keys_of_fact(name: str, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    match definitions[name]:
        case PatientDefinition() | ListDefinition():
            yield _ALWAYS
        case ExpressionDefinition(expression):
            yield from _keys_of_expression(expression, definitions)
        case GroupDefinition(facts):
            for each in (each for alternatives in facts for each in alternatives):
                yield from _keys_of_fact(each, definitions)
        case ConditionDefinition() as condition:
            yield from keys_of_condition(condition)
        case ObservationDefinition(value_sets=value_sets):
            yield from (("Observation", each) for each in value_sets)
        case MedicationDefinition(value_sets=value_sets):
            for kind in ("MedicationRequest", "MedicationStatement"):
                yield from ((kind, each) for each in value_sets)
        case allergy:
            for each in allergy.value_sets:
                yield ("AllergyIntolerance", each)
                yield ("AllergyIntolerance", f"past:{each}")
