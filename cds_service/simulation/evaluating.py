"""Evaluates one patient at every opening: rows of plain values, without a value of the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service.knowledge import CDSService
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Answer, Call, Card, Resource, Retrieval, Retrieved
from cds_service.knowledge.comparison import card_changes
from cds_service.knowledge.facts.kind import ABSENT, PRESENT
from cds_service.knowledge.facts.kinds import made_of
from cds_service.knowledge.outcomes.evaluation import Evaluation
from cds_service.knowledge.record.lists import type_of_template
from cds_service.simulation.openings import Opening, age_band, known_at, openings_of, sex
from cds_service.simulation.patients import Record

Row = dict[str, Any]
_USER = "Practitioner/simulated"


class PatientUnreadable(Exception):
    """The record of a patient cannot be evaluated; the text says why, without a value."""


@dataclass(frozen=True, slots=True)
class Content:
    """The services to evaluate, and those of an older content by id; empty without any.

    `types` are the resource types of which the population has any: a list of another type was not
    exported. `absent` are the prefetch keys that the EHR never gives.
    """

    services: Sequence[CDSService]
    older: Mapping[str, CDSService]
    types: frozenset[str]
    absent: frozenset[str]
    language: str
    today: date
    since: date | None
    most_resources: int


def rows_of(record: Record, content: Content) -> Iterable[Row]:
    """One row for each opening of a patient's chart. Raises PatientUnreadable."""
    person = person_of(record, content)
    for opening in openings_of(record.resources, content.today, content.since):
        yield _row(record, person, opening, content)


def person_of(record: Record, content: Content) -> Resource:
    """The Patient of a record. Raises PatientUnreadable."""
    if len(record.resources) > content.most_resources:
        raise PatientUnreadable("more resources than CDS_MAX_RESOURCES")
    if record.person is None:
        raise PatientUnreadable("no Patient")
    return record.person


def as_known(record: Record, opening: Opening) -> Record:
    """The record with what was known when a chart was opened."""
    return replace(record, resources=known_at(record.resources, opening.now))


def evaluated(
    service: CDSService, record: Record, opening: Opening, content: Content
) -> tuple[Evaluation, Answer]:
    """The outcomes and the cards at an opening; `record` is the one `as_known` then.

    Raises PatientUnreadable.
    """
    is_spoken = content.language in service.languages
    call = Call(
        retrieved=Retrieved(record.resources, _states(service, record, content)),
        patient_id=str(person_of(record, content).get("id")),
        user_id=_USER,
        hook_instance=opening.day.isoformat(),
        now=opening.now,
        language=content.language if is_spoken else service.default_language,
        encounter_id=opening.encounter,
    )
    evaluation = decide(service, call)
    return evaluation, service.answer_from(evaluation, call)


def _row(record: Record, person: Resource, opening: Opening, content: Content) -> Row:
    row: Row = {
        "patient": record.patient,
        "opened": opening.day.isoformat(),
        "age": age_band(person, opening.day),
        "sex": sex(person),
        "cards": [],
        "lacking": [],
        "changes": [],
    }
    known = as_known(record, opening)
    for service in content.services:
        evaluation, answer = evaluated(service, known, opening, content)
        row["cards"] += [card_row(service.id, card) for card in answer.cards]
        row["lacking"] += [
            {"service": service.id, "state": state, "facts": names}
            for state, names in left_open(service, evaluation).items()
        ]
        older = content.older.get(service.id)
        if older is not None:
            _, before = evaluated(older, known, opening, content)
            versions = (older.version, service.version)
            row["changes"] += [
                {
                    "service": service.id,
                    "slot": change.slot,
                    "change": change.change,
                    "was": change.was,
                    "becomes": change.becomes,
                    "because": list(change.because),
                }
                for change in card_changes(before, answer, versions)
            ]
    return row


def _states(service: CDSService, record: Record, content: Content) -> dict[str, Retrieval]:
    """How each list came: whole, if the population has any resource of its type, or in part."""

    def state(key: str, type_: str) -> Retrieval:
        if key in content.absent:
            return Retrieval.NEVER_GIVEN
        if type_ in record.broken:
            return Retrieval.INCOMPLETE
        return Retrieval.COMPLETE if type_ in content.types else Retrieval.MISSING

    return {
        key: state(key, type_of_template(template)) for key, template in service.prefetch.items()
    }


def card_row(service: str, card: Card) -> Row:
    """What is kept of a card: its place, its rules and its length, not its text."""
    text = f"{card.summary} {card.detail}"
    return {
        "service": service,
        "slot": card.slot,
        "indicator": card.indicator,
        "words": len(text.split()),
        "rules": [
            {"id": f"{service}/{rule.id}", "version": rule.version, "level": rule.level}
            for rule in card.traced
        ],
    }


def left_open(service: CDSService, evaluation: Evaluation) -> dict[str, list[str]]:
    """The names of the facts that the record leaves open, by state.

    Facts that are computed from others are left out: it is the others that lack.
    """
    found: dict[str, list[str]] = {}
    for name, fact in sorted(evaluation.facts.items()):
        if fact.standing() not in (ABSENT, PRESENT) and not made_of(service.facts[name]):
            found.setdefault(fact.standing(), []).append(name)
    return dict(sorted(found.items()))
