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

from cds_service.knowledge.call import Call, Retrieval, Retrieved
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.kinds import Definition, kind_of, made_of
from cds_service.knowledge.facts.order import PREFETCH_KEY as ORDERS
from cds_service.knowledge.outcomes.judging import RuleOutcome, judge, withholds
from cds_service.knowledge.record.record import Key, PatientRecord

_ALWAYS: Key = ("", "")


@dataclass(frozen=True)
class Relevance:
    """What stays as it is on an empty record, and what each key of a record's index touches.

    `baseline` is every rule and `absent` every fact on an empty record; `rules` and `facts` are
    those that a key touches. `below` is what each fact rests on: itself, and what it is computed
    from; `evidence` names the facts read from the record behind each rule and cause.
    """

    baseline: Mapping[str, RuleOutcome]
    absent: Mapping[str, Any]
    rules: Mapping[Key, frozenset[int]]
    facts: Mapping[Key, frozenset[str]]
    evidence: Mapping[str, tuple[str, ...]]
    below: Mapping[str, frozenset[str]]

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
    # Facts of orders are read every time: whether that list came whole changes nothing else.
    return all(record.is_complete(key) for key in service.prefetch if key != ORDERS)


def relevance_of(service: Service) -> Relevance:
    """What the rules and facts of a service depend on."""
    facts = Facts(service.facts, _empty_record(service))
    baseline = {rule.id: judge(rule, facts, for_baseline=True) for rule in service.rules}
    rules: dict[Key, set[int]] = defaultdict(set)
    for number, rule in enumerate(service.rules):
        for key in _keys_of_rule(rule, service.facts):
            rules[key].add(number)
        outcome = baseline[rule.id]
        if any(withholds(each, outcome, [facts]) for each in rule.withhold):
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
        evidence=_evidence(service),
        below={name: frozenset(_below(name, service.facts)) for name in service.facts},
    )


def _evidence(service: Service) -> dict[str, tuple[str, ...]]:
    """For each rule and cause the facts that its conditions name, down to those that are read."""
    behind = {rule.id: rule.conditions for rule in service.rules}
    behind |= {cause.id: cause.conditions for cause in service.causes}
    return {
        id_: tuple(
            dict.fromkeys(
                below
                for condition in conditions
                for name in condition.facts
                for below in _read_facts(name, service.facts)
            )
        )
        for id_, conditions in behind.items()
    }


def _read_facts(name: str, definitions: Mapping[str, Definition]) -> Iterable[str]:
    below = made_of(definitions[name])
    if not below:
        yield name
    for each in below:
        yield from _read_facts(each, definitions)


def _empty_record(service: Service) -> PatientRecord:
    states = dict.fromkeys(service.prefetch, Retrieval.COMPLETE)
    call = Call(
        Retrieved((), states), "", "Practitioner/", "", datetime(2000, 1, 1, tzinfo=UTC), ""
    )
    return PatientRecord(call, service.terminology)


def _keys_of_rule(rule: Rule, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    for condition in rule.conditions:
        for name in condition.facts:
            yield from _keys_of_fact(name, definitions)


def _below(name: str, definitions: Mapping[str, Definition]) -> Iterable[str]:
    yield name
    for each in made_of(definitions[name]):
        yield from _below(each, definitions)


def _keys_of_fact(name: str, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    """Where a fact looks in the record; one that looks nowhere is read on every call."""
    definition = definitions[name]
    below = made_of(definition)
    keys = tuple(kind_of(definition).keys(definition))
    yield from keys or (() if below else (_ALWAYS,))
    for other in below:
        yield from _keys_of_fact(other, definitions)
