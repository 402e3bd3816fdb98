"""What the record says about a measurement: the newest final FHIR Observation in its window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, takewhile
from typing import Any

from marshmallow import ValidationError, fields, post_load

from cds_service.knowledge.facts.kind import NOT_TOLD, Kind, Reading, none_of
from cds_service.knowledge.facts.results import (
    ObservationFact,
    Result,
    Results,
    as_reported,
    days_between,
    is_outside,
    reference_range,
    results_of,
)
from cds_service.knowledge.facts.schema import (
    DefinitionSchema,
    Duration,
    ListedAnswers,
    ValueSets,
    answers_of,
)
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.answers import Answers
from cds_service.knowledge.record.fhir_json import as_written, interpretation_of
from cds_service.knowledge.record.quantities import Number, Quantity, is_below, middle
from cds_service.knowledge.record.record import Key, PatientRecord
from cds_service.knowledge.record.statements import Statement

_BOUNDS = (fields.Float(allow_none=True), fields.Float(allow_none=True))
# Older than this is missing, not stale.
_STALE_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ObservationDefinition:
    """A fact of kind `observation` in facts.yaml.

    `prefetch_key` is where its results come from; `within` how old a usable value may be;
    `at_least` leaves out lower values; `answers` is what answers in codes and words count as;
    `days_ahead` reads a date as days from now; `usual` is the range if the laboratory states none;
    values beyond `silent` have rules of their own, and are not `outside`.
    """

    value_sets: tuple[str, ...]
    prefetch_key: str
    within: timedelta
    quantity: Quantity | None = None
    at_least: float | None = None
    answers: Answers | None = None
    days_ahead: bool = False
    usual: tuple[float | None, float | None] = (None, None)
    silent: tuple[float | None, float | None] | None = None


class ObservationSchema(DefinitionSchema):
    value_sets = ValueSets(data_key="observation", required=True)
    prefetch_key = fields.String(
        data_key="from", metadata={"guide": "prefetch key of its Observations"}
    )
    within = Duration()
    quantity = fields.String()
    at_least = fields.Float()
    answers = ListedAnswers()
    days_ahead = fields.Boolean()
    usual = fields.Tuple(_BOUNDS, metadata={"guide": "range, where the laboratory states none"})
    silent = fields.Tuple(_BOUNDS, metadata={"guide": "other rules cover values beyond it"})

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ObservationDefinition:
        """The definition, with the quantity that reads its numbers."""
        prefetch = self.known.prefetch
        if data.get("prefetch_key") not in prefetch or "within" not in data:
            raise ValidationError(f"needs `within` and `from`: {', '.join(sorted(prefetch))}")
        answers, name = data.pop("answers", None), data.pop("quantity", data["value_sets"][0])
        quantity = self.known.library.quantities.get(name)
        if quantity is None and answers is None and not data.get("days_ahead"):
            raise ValidationError({"quantity": [f"quantities.yaml does not have {name}"]})
        listed = answers_of(answers, quantity, self.known)
        return ObservationDefinition(**data, quantity=quantity, answers=listed)


def read_observation(
    definition: ObservationDefinition,
    record: PatientRecord,
    *,
    highest: bool = False,
    certain: bool = False,
) -> ObservationFact:
    """The fact that a definition gives for a record.

    `highest` chooses between different values of one time, or values that may be equally new;
    `other_value` is the one not chosen. `certain` leaves out what is not final or has no sure date.
    """
    statements = record.statements("Observation", definition.value_sets)
    whole = record.is_complete(definition.prefetch_key)
    return newest(definition, statements, record, whole=whole, highest=highest, certain=certain)


def newest(
    definition: ObservationDefinition,
    statements: Iterable[Statement],
    record: PatientRecord,
    *,
    whole: bool,
    highest: bool,
    certain: bool,
) -> ObservationFact:
    """The newest of the statements; with none the value is missing if the lists are `whole`."""
    results = results_of(
        statements,
        lambda statement: _number(definition, statement, record),
        definition.within,
        record.now,
        lambda number: definition.at_least is None or not is_below(number, definition.at_least),
    )
    rivals = () if certain else results.rivals
    is_stale = bool(results.newest) and not _is_in_window(results.newest[0], definition, record)
    judging = (*(() if is_stale else results.newest), *rivals)
    if judging:
        return _choose(judging, results, definition, record, highest)
    if results.rivals:
        return _without_value("uncertain", results.rivals[0])
    if results.unread:
        return _without_value("unreadable", results.unread)
    if is_stale:
        return _stale(results, record)
    return ObservationFact("missing" if whole else "not-retrieved")


def keys_of_observation(definition: ObservationDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("Observation", value_set) for value_set in definition.value_sets)


def _choose(
    judging: tuple[Result, ...],
    results: Results,
    definition: ObservationDefinition,
    record: PatientRecord,
    highest: bool,
) -> ObservationFact:
    ordered = sorted(judging, key=lambda result: middle(result.number), reverse=highest)
    chosen, other = ordered[0], ordered[-1].number
    if all(result.is_doubtful for result in judging):
        state = "uncertain"
    else:
        state = "conflicting" if other != chosen.number else "ok"
    previous = next(results.older, None)
    dated = [chosen, *([previous] if previous else ())]
    in_window = list(
        takewhile(
            lambda result: _is_in_window(result, definition, record), chain(dated, results.older)
        )
    )
    low, high = reference_range(chosen, definition.quantity)
    reported, unit = as_reported(chosen, definition.quantity)
    return ObservationFact(
        state=state,
        value=chosen.number,
        date=dates.written(chosen.span),
        age_days=chosen.span.days_before(record.now) if chosen.span else None,
        last_value=chosen.number,
        previous=previous.number if previous else None,
        low=low,
        high=high,
        flag=interpretation_of(chosen.statement.element),
        outside=is_outside(chosen, (low, high), definition.usual, definition.silent),
        count=max(len(in_window), 1),
        span_days=days_between(in_window),
        other_value=other if other != chosen.number else None,
        newer_unread=results.unread is not None,
        reported=reported,
        unit=unit,
        resources=(chosen.statement.resource,),
    )


def _stale(results: Results, record: PatientRecord) -> ObservationFact:
    newest = results.newest[0]
    if newest.span is None or not newest.span.is_within(_STALE_FOR, record.now):
        return ObservationFact("missing")
    return ObservationFact(
        "stale",
        date=dates.written(newest.span),
        age_days=newest.span.days_before(record.now),
        last_value=newest.number,
        flag=interpretation_of(newest.statement.element),
        resources=(newest.statement.resource,),
    )


def _without_value(state: str, result: Result) -> ObservationFact:
    return ObservationFact(
        state,
        date=dates.written(result.span),
        flag=interpretation_of(result.statement.element),
        written=as_written(result.statement.element),
        resources=(result.statement.resource,),
    )


def _is_in_window(result: Result, definition: ObservationDefinition, record: PatientRecord) -> bool:
    return result.span is not None and result.span.is_within(definition.within, record.now)


def _number(
    definition: ObservationDefinition, statement: Statement, record: PatientRecord
) -> Number | None:
    element, number = statement.element, None
    if definition.quantity is not None:
        number = definition.quantity.read(element)
    if number is None and definition.answers is not None:
        number = definition.answers.read(element)
    if definition.days_ahead:
        date = dates.read(element.get("valueDateTime")) or dates.find(element.get("valueString"))
        return float((date.latest.date() - record.now.date()).days) if date else None
    return number


def _read(definition: ObservationDefinition, reading: Reading) -> ObservationFact:
    return read_observation(
        definition, reading.record, highest=reading.highest, certain=reading.certain
    )


def example_of_observation(
    _: ObservationDefinition, value: Any, __: Mapping[str, Any]
) -> ObservationFact:
    """A value measured two days ago; a test that was never done, or null, not retrieved."""
    if value is NOT_TOLD or value is None:
        return ObservationFact("missing" if value is NOT_TOLD else "not-retrieved")
    return ObservationFact(
        "ok", value, date="2026-11-20", age_days=2.0, last_value=value, count=1, span_days=0.0
    )


OBSERVATION = Kind(
    key="observation",
    schema=ObservationSchema,
    definition=ObservationDefinition,
    fact=ObservationFact,
    main="value",
    read=_read,
    resource_types=("Observation",),
    keys=keys_of_observation,
    source=lambda definition: definition.prefetch_key,
    made_of=none_of,
    example=example_of_observation,
)
