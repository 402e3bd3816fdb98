"""Which rules and facts depend on a record. The others have the outcome of an empty record.

Most rules are about things that are not on record. Their outcomes are computed once for each
combination of list states. So the cost of a call depends on its record, not on the number of rules
or on lists that a client does not send.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cds_service.knowledge.call import Call, Retrieval, Retrieved
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.kinds import Definition, kind_of, made_of
from cds_service.knowledge.outcomes.judging import RuleOutcome, judge, withholds
from cds_service.knowledge.record.record import Key, PatientRecord

_ALWAYS: Key = ("", "")


# Clients send the same lists in every call, so there are only a few combinations of list states.
_MOST_BASELINES = 64


@dataclass(frozen=True)
class Baseline:
    """The outcomes for an empty record with the list states of some call.

    `outcomes` is every rule and `absent` every fact on it; `rules` and `facts` are those that a key
    of a record's index touches.
    """

    outcomes: Mapping[str, RuleOutcome]
    absent: Mapping[str, Any]
    rules: Mapping[Key, frozenset[int]]
    facts: Mapping[Key, frozenset[str]]

    def rules_to_judge(self, service: Service, record: PatientRecord) -> Sequence[Rule]:
        """The rules whose outcome may differ on a record, in their order."""
        numbers: set[int] = set(self.rules.get(_ALWAYS, ()))
        for key in record.keys:
            numbers |= self.rules.get(key, frozenset())
        return [service.rules[number] for number in sorted(numbers)]

    def absent_facts(self, record: PatientRecord) -> Mapping[str, Any]:
        """The facts that a record does not affect."""
        absent = dict(self.absent)
        for key in record.keys:
            for name in self.facts.get(key, ()):
                absent.pop(name, None)
        return absent


class Relevance:
    """What the rules and facts of a service depend on.

    `below` is what each fact rests on: itself, and what it is computed from; `above` is what rests
    on it: itself, and what is computed from it. `evidence` names the facts read from the record
    behind each rule and cause.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._rules: dict[Key, set[int]] = defaultdict(set)
        self._facts: dict[Key, set[str]] = defaultdict(set)
        for number, rule in enumerate(service.rules):
            for key in _keys_of_rule(rule, service.facts):
                self._rules[key].add(number)
        for name in service.facts:
            for key in _keys_of_fact(name, service.facts):
                self._facts[key].add(name)
        self.below = {name: frozenset(_below(name, service.facts)) for name in service.facts}
        self.above = {
            name: frozenset(other for other, below in self.below.items() if name in below)
            for name in service.facts
        }
        self.evidence = _evidence(service)
        self._baseline = lru_cache(_MOST_BASELINES)(self._baseline_of)
        self._baseline((Retrieval.COMPLETE,) * len(service.prefetch))

    def baseline(self, record: PatientRecord) -> Baseline:
        """The baseline with the same list states as a record."""
        return self._baseline(tuple(map(record.came, self._service.prefetch)))

    def _baseline_of(self, states: Sequence[Retrieval]) -> Baseline:
        service = self._service
        record = _empty_record(service, dict(zip(service.prefetch, states, strict=True)))
        facts = Facts(service.facts, record)
        # All calls share them, so they keep no facts.
        outcomes = {rule.id: replace(judge(rule, facts), facts=None) for rule in service.rules}
        withholding = {
            number
            for number, rule in enumerate(service.rules)
            if any(withholds(withhold, outcomes[rule.id], [facts]) for withhold in rule.withhold)
        }
        rules = self._rules | {_ALWAYS: self._rules[_ALWAYS] | withholding}
        always = self._facts[_ALWAYS]
        return Baseline(
            outcomes=outcomes,
            absent={name: facts[name] for name in service.facts if name not in always},
            rules={key: frozenset(numbers) for key, numbers in rules.items()},
            facts={key: frozenset(names) for key, names in self._facts.items()},
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
    for part in below:
        yield from _read_facts(part, definitions)


def _empty_record(service: Service, states: Mapping[str, Retrieval]) -> PatientRecord:
    call = Call(
        Retrieved((), states), "", "Practitioner/", "", datetime(2000, 1, 1, tzinfo=UTC), ""
    )
    return PatientRecord(call, service.terminology, service.statuses, service.lists)


def _keys_of_rule(rule: Rule, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    for condition in rule.conditions:
        for name in condition.facts:
            yield from _keys_of_fact(name, definitions)


def _below(name: str, definitions: Mapping[str, Definition]) -> Iterable[str]:
    yield name
    for part in made_of(definitions[name]):
        yield from _below(part, definitions)


def _keys_of_fact(name: str, definitions: Mapping[str, Definition]) -> Iterable[Key]:
    """Where a fact looks in the record; one that looks nowhere is read on every call."""
    definition = definitions[name]
    below = made_of(definition)
    keys = tuple(kind_of(definition).keys(definition))
    yield from keys or (() if below else (_ALWAYS,))
    for other in below:
        yield from _keys_of_fact(other, definitions)
