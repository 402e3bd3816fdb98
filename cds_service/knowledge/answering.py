"""From one call to its cards: the record, the outcomes, what they rest on, the words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cds_service.knowledge.call import Answer, Call, Resource, Retrieved
from cds_service.knowledge.cards.rendering import render, render_unavailable
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.suppression import conditions_held
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.facts import Facts, GroupFact
from cds_service.knowledge.outcomes.evaluation import (
    CauseOutcome,
    Evaluation,
    GateState,
    evaluate,
    is_silenced,
)
from cds_service.knowledge.outcomes.evidence import near_misses, trace
from cds_service.knowledge.outcomes.muting import mute, only_of
from cds_service.knowledge.record.record import PatientRecord
from cds_service.knowledge.record.validation import invalid_resources


def answer(service: Service, call: Call) -> Answer:
    """The cards for one call, and for the log the rules by outcome and the facts that lacked."""
    evaluation = mute(service, decide(service, call), service.disabled)
    said = mute(service, evaluation, service.shadow)
    cards = tuple(trace(card, service, said) for card in render(service, said, call))
    watched = only_of(render(service, evaluation, call), service.shadow) if service.shadow else ()
    return Answer(
        cards=cards,
        applied=tuple(outcome.rule.id for outcome in evaluation.applied),
        unknown=tuple(each.rule.id for each in evaluation.outcomes.values() if each.unknown),
        missing=tuple(dict.fromkeys(_missing(evaluation))),
        near_misses=near_misses(service, evaluation) if cards or watched else {},
        shadow=tuple(trace(card, service, evaluation) for card in watched),
        held=conditions_held(service.suppression, evaluation.facts) if cards else (),
    )


def answer_unavailable(service: Service, call: Call) -> Answer:
    """The card for a call whose required data is not to be had; its rules were not looked at.

    Rules that silence what is known already, such as who is looking, still do.
    """
    record = PatientRecord(replace(call, retrieved=Retrieved((), {})), service.terminology)
    facts = Facts(service.facts, record)
    if is_silenced(service, facts):
        return Answer(cards=(), applied=(), unknown=(), missing=())
    return Answer(
        cards=(render_unavailable(service, Evaluation(facts, GateState.UNCHECKED), call),),
        applied=(),
        unknown=(),
        missing=tuple(sorted(service.required_keys)),
    )


def decide(service: Service, call: Call) -> Evaluation:
    """The outcomes for one call, resting on valid resources only.

    What a card would rest on is validated. Should some of it be invalid, all that could matter is
    validated, the invalid set aside as unreadable, and the record looked at once more.
    """
    record = PatientRecord(call, service.terminology)
    evaluation = evaluate(service, record)
    if not invalid_resources(_evidence(service, evaluation)):
        return evaluation
    record.discard(invalid_resources(record.used_resources()))
    return evaluate(service, record)


def _evidence(service: Service, evaluation: Evaluation) -> Iterable[Resource]:
    """The resources behind everything that was found true."""
    if evaluation.gate is not GateState.OPEN:
        return ()
    expressions = [service.gate.anxiety, service.gate.symptom]
    for applied in evaluation.applied:
        expressions.append(applied.rule.levels[str(applied.level)])
        expressions.extend(filter(None, [applied.rule.section_when]))
        expressions.extend(each.when for each in applied.rule.withhold if each.when)
    for outcome in evaluation.causes:
        expressions.extend(_because(outcome))
        reasons = (*outcome.cause.requires, *outcome.cause.notes)
        expressions.extend(reason.when for reason in reasons)
    for outcome in evaluation.not_listed:
        expressions.extend(_because(outcome))
        reasons = (*outcome.cause.requires, *outcome.cause.excludes)
        named = (*outcome.unmet, *outcome.excluded)
        expressions.extend(reason.when for reason in reasons if reason.because in named)
    facts = {name for expression in expressions for name in expression.facts}
    found: dict[int, Resource] = {}
    for name in frozenset[str]().union(*map(service.relevance.below.__getitem__, facts)):
        for resource in evaluation.facts[name].resources:
            found[id(resource)] = resource
    return found.values()


def expressions_of(service: Service) -> Iterable[Expression]:
    """Every condition of a service."""
    yield from (service.gate.anxiety, service.gate.symptom, service.gate.unchecked)
    for rule in service.rules:
        yield from rule.conditions
    yield from (row.when for row in service.suppression if row.when)
    for suggestion in service.suggestions:
        yield from (suggestion.when, *(request.when for request in suggestion.requests))
    for cause in service.causes:
        yield from cause.conditions


def _because(outcome: CauseOutcome) -> Iterable[Expression]:
    """The conditions that earned a cause its points."""
    for group in outcome.cause.points:
        yield from (reason.when for reason in group.reasons if reason.because in outcome.because)


def _missing(evaluation: Evaluation) -> Iterable[str]:
    for fact in evaluation.facts.values():
        if isinstance(fact, GroupFact):
            yield from (each.name for each in (*fact.missing, *fact.not_retrieved))
