"""CDSService: answers a call with cards, from the record, the outcomes and the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from cds_service.knowledge.call import Answer, Call, Card, Retrieved
from cds_service.knowledge.cards.rendering import render, render_line, render_unavailable
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.suppression import conditions_held
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.kind import Fact
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.facts.library import ValueSet
from cds_service.knowledge.outcomes.evaluation import (
    Evaluation,
    GateState,
    evaluate,
    is_silenced,
)
from cds_service.knowledge.outcomes.evidence import near_misses, trace
from cds_service.knowledge.outcomes.gaps import might_open
from cds_service.knowledge.outcomes.muting import mute, only_of
from cds_service.knowledge.outcomes.relevance import Relevance
from cds_service.knowledge.record.record import PatientRecord


@dataclass(frozen=True)
class CDSService(Service):
    """The content of a service, prepared for answering calls."""

    def prepare(self) -> None:
        """Compute in advance what every call needs."""
        _ = (self.relevance, self.governed, self.silencing_rules, self.beside)
        _ = (self.override_reasons, self.groups)

    @cached_property
    def relevance(self) -> Relevance:
        """Which rules and facts depend on which parts of a record."""
        return Relevance(self)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The facts that report others as missing."""
        return tuple(
            name
            for name, definition in self.facts.items()
            if kind_of(definition).fact.lacking is not Fact.lacking
        )

    def answer(self, call: Call) -> Answer:
        """The cards for one call. Strange records do not raise errors."""
        return self.answer_from(decide(self, call), call)

    def answer_from(self, outcomes: Evaluation, call: Call) -> Answer:
        """The cards for the outcomes that `decide` gave for a call."""
        evaluation = _muted(self, outcomes, self.disabled)
        spoken = _muted(self, evaluation, self.disabled | self.shadow)
        cards = self._traced(render(self, spoken, call), spoken)
        watched = only_of(render(self, evaluation, call), self.shadow) if self.shadow else ()
        return Answer(
            cards=cards,
            applied=tuple(outcome.rule.id for outcome in evaluation.applied),
            unknown=tuple(
                outcome.rule.id for outcome in evaluation.outcomes.values() if outcome.unknown
            ),
            missing=tuple(dict.fromkeys(self._missing(evaluation))),
            near_misses=near_misses(evaluation, self.relevance) if cards or watched else {},
            shadow=self._traced(watched, evaluation),
            held=conditions_held(self.suppression, evaluation.facts) if cards else (),
            unread=evaluation.facts.unread if isinstance(evaluation.facts, Facts) else {},
        )

    def unavailable(self, call: Call) -> Answer:
        """One card that says that nothing could be checked.

        Rules are not evaluated, except those that silence all cards, for example because of the
        type of user.
        """
        empty = replace(call, retrieved=Retrieved((), {}))
        record = PatientRecord(empty, self.terminology, self.statuses, self.lists)
        facts = Facts(self.facts, record)
        if is_silenced(self, facts):
            return Answer(cards=(), applied=(), unknown=(), missing=())
        return Answer(
            cards=(render_unavailable(self, Evaluation(facts, GateState.UNCHECKED), call),),
            applied=(),
            unknown=(),
            missing=tuple(sorted(self.required_keys)),
        )

    def line(self, card: Card, words: str, since: datetime, call: Call) -> Card:
        """The line that replaces a card answered at `since`; `words` is the id of its text."""
        return render_line(self, card, words, since, call)

    def _missing(self, evaluation: Evaluation) -> Iterable[str]:
        for fact in map(evaluation.facts.get, self.groups):
            if fact is not None:  # it was asked for, or is absent
                yield from fact.lacking()

    def _traced(self, cards: Iterable[Card], evaluation: Evaluation) -> tuple[Card, ...]:
        return tuple(trace(card, self, evaluation, self.relevance) for card in cards)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything in cards/: the services by id, and the version that every answer names.

    Value sets and `attributes` (see Library) are for the pages.
    """

    version: str
    services: Mapping[str, CDSService]
    value_sets: Mapping[str, ValueSet] = field(default_factory=dict)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def decide(service: CDSService, call: Call) -> Evaluation:
    """The outcomes for one call."""
    record = PatientRecord(call, service.terminology, service.statuses, service.lists)
    evaluation = evaluate(service, record, service.relevance)
    return _checked(service, evaluation, frozenset())


def _muted(service: CDSService, evaluation: Evaluation, rules: Set[str]) -> Evaluation:
    """The outcomes without these rules; a gate that only they opened is checked again."""
    if not rules:
        return evaluation
    return _checked(service, mute(service, evaluation, rules), rules)


def _checked(service: CDSService, evaluation: Evaluation, muted: Set[str]) -> Evaluation:
    """The outcomes; UNCHECKED if the gate is closed, but might be open if nothing had failed."""
    if evaluation.gate is not GateState.CLOSED or is_silenced(service, evaluation.facts):
        return evaluation
    facts = evaluation.facts
    if isinstance(facts, Facts) and might_open(service, facts, service.relevance, muted):
        return replace(evaluation, gate=GateState.UNCHECKED)
    return evaluation
