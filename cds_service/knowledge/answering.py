"""Services that answer: from one call to its cards, by the record, the outcomes and the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from cds_service.knowledge.call import Answer, Call, Card, Retrieved
from cds_service.knowledge.cards.rendering import render, render_line, render_unavailable
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.suppression import conditions_held
from cds_service.knowledge.facts.facts import Facts
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
    """The content of a service, and what its rules depend on: ready to answer calls."""

    def prepare(self) -> None:
        """Compute what every call needs, so that the first call does not wait for it."""
        _ = (self.relevance, self.governed, self.silencing_rules, self.beside)
        _ = self.override_reasons

    @cached_property
    def relevance(self) -> Relevance:
        """Which rules a record can concern."""
        return Relevance(self)

    def answer(self, call: Call) -> Answer:
        """The cards for one call. It does not raise for strange records."""
        evaluation = _muted(self, decide(self, call), self.disabled)
        spoken = _muted(self, evaluation, self.disabled | self.shadow)
        cards = self._traced(render(self, spoken, call), spoken)
        watched = only_of(render(self, evaluation, call), self.shadow) if self.shadow else ()
        return Answer(
            cards=cards,
            applied=tuple(outcome.rule.id for outcome in evaluation.applied),
            unknown=tuple(each.rule.id for each in evaluation.outcomes.values() if each.unknown),
            missing=tuple(dict.fromkeys(_missing(evaluation))),
            near_misses=near_misses(evaluation, self.relevance) if cards or watched else {},
            shadow=self._traced(watched, evaluation),
            held=conditions_held(self.suppression, evaluation.facts) if cards else (),
            unread=evaluation.facts.unread if isinstance(evaluation.facts, Facts) else {},
        )

    def unavailable(self, call: Call) -> Answer:
        """One card that warns that nothing could be checked, for those whom cards are for.

        Rules were not looked at; those that silence what is known already, such as who is looking,
        still do.
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
        """What stands in place of a card that was answered at `since`; `words` is what it says."""
        return render_line(self, card, words, since, call)

    def _traced(self, cards: Iterable[Card], evaluation: Evaluation) -> tuple[Card, ...]:
        return tuple(trace(card, self, evaluation, self.relevance) for card in cards)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything in cards/: the services by id, and the version that every answer names."""

    version: str
    services: Mapping[str, CDSService]


def decide(service: CDSService, call: Call) -> Evaluation:
    """The outcomes for one call."""
    record = PatientRecord(call, service.terminology, service.statuses, service.lists)
    evaluation = evaluate(service, record, service.relevance)
    return _checked(service, evaluation, frozenset())


def _muted(service: CDSService, evaluation: Evaluation, rules: Set[str]) -> Evaluation:
    """The outcomes without these rules; the gate that they alone had opened may be in question."""
    return _checked(service, mute(service, evaluation, rules), rules)


def _checked(service: CDSService, evaluation: Evaluation, muted: Set[str]) -> Evaluation:
    """The outcomes, UNCHECKED where the gate is closed and something that failed left it open."""
    if evaluation.gate is not GateState.CLOSED or is_silenced(service, evaluation.facts):
        return evaluation
    facts = evaluation.facts
    if isinstance(facts, Facts) and might_open(service, facts, service.relevance, muted):
        return replace(evaluation, gate=GateState.UNCHECKED)
    return evaluation


def _missing(evaluation: Evaluation) -> Iterable[str]:
    for fact in evaluation.facts.values():
        yield from fact.lacking()
