"""What the record says of a measurement: the newest final FHIR Observation in its window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, groupby, takewhile
from typing import Annotated, Any

from marshmallow import ValidationError, fields, post_load
from marshmallow.validate import Regexp

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import NOT_TOLD, PRESENT, Fact, Kind, Reading, none_of
from cds_service.knowledge.facts.schema import DefinitionSchema, Duration, ValueSets
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import (
    coded_answer,
    interpretation_of,
    is_heading,
    text_of,
)
from cds_service.knowledge.record.quantities import (
    Number,
    Quantity,
    is_below,
    middle,
    number_text,
)
from cds_service.knowledge.record.record import Key, PatientRecord, Statement

FINAL = frozenset({"final", "amended", "corrected"})
# Older than this is missing, not stale (R07).
_STALE_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ObservationDefinition:
    """A fact of kind `observation` in facts.yaml.

    `prefetch_key` is where its results come from; `within` how old a usable value may be;
    `at_least` leaves out lower values; `answer` (system, code) is the coded value that counts: 1
    for it, 0 for another; `days_ahead` reads a date as days from now.
    """

    value_sets: tuple[str, ...]
    prefetch_key: str
    within: timedelta
    quantity: Quantity | None = None
    at_least: float | None = None
    answer: tuple[str, str] | None = None
    days_ahead: bool = False


class ObservationSchema(DefinitionSchema):
    value_sets = ValueSets(data_key="observation", required=True)
    prefetch_key = fields.String(
        data_key="from", metadata={"guide": "prefetch key: laboratory, vitalSigns, surveys"}
    )
    within = Duration()
    quantity = fields.String()
    at_least = fields.Float()
    answer = fields.String(validate=Regexp(r"^\S+\|\S+$"), metadata={"guide": "`system|code`"})
    days_ahead = fields.Boolean()

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ObservationDefinition:
        """The definition, with the quantity that reads its numbers."""
        prefetch = self.known.prefetch
        if data.get("prefetch_key") not in prefetch or "within" not in data:
            raise ValidationError(f"wants `within` and `from`: {', '.join(sorted(prefetch))}")
        answer, name = data.pop("answer", None), data.pop("quantity", data["value_sets"][0])
        quantity = self.known.library.quantities.get(name)
        if quantity is None and answer is None and not data.get("days_ahead"):
            raise ValidationError({"quantity": [f"quantities.yaml does not have {name}"]})
        expected = tuple(answer.split("|")) if answer else None
        return ObservationDefinition(**data, quantity=quantity, answer=expected)


@dataclass(frozen=True, slots=True)
class ObservationFact(Fact):
    """Members that expressions and words may use; None means that the record does not say.

    `last_value` is the newest readable value however old, `value` only while ok or conflicting.
    """

    state: Annotated[str, "ok, conflicting, stale, unreadable, missing, not-retrieved"]
    value: Annotated[Number | None, "only in its window"] = None
    date: str | None = None
    age_days: Number | None = None
    last_value: Number | None = None
    previous: Number | None = None
    low: float | None = None
    high: Annotated[float | None, "reference range"] = None
    flag: str | None = None
    count: int = 0
    span_days: float | None = None
    other_value: Number | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def present(self) -> bool | None:
        """Whether there is a usable value; None when the results were not retrieved."""
        if self.state in ("ok", "conflicting"):
            return True
        return None if self.state in ("not-retrieved", "unreadable") else False

    def standing(self) -> str:
        """Its state; what is ok is there."""
        return PRESENT if self.state == "ok" else self.state

    def is_gap(self) -> bool:
        """Whether a value could not be read, or the list of results did not come."""
        return self.state in ("unreadable", "not-retrieved")

    def stated(self) -> list[str]:
        """Its state, and the values beside the one that its resource shows."""
        state = [] if self.state == "ok" else [self.state]
        others = (self.previous, self.other_value)
        return [*state, *(number_text(each) for each in others if each is not None)]

    def has_rival(self) -> bool:
        """Whether two different values were measured at one time."""
        return self.state == "conflicting"


@dataclass(frozen=True, slots=True)
class _Reading:
    number: Number | None
    span: dates.Span
    statement: Statement


def read_observation(
    definition: ObservationDefinition, record: PatientRecord, *, highest: bool = False
) -> ObservationFact:
    """The fact that a definition gives on a record.

    Of two different values at one time `highest` chooses; `other_value` is the one not chosen.
    """
    whole = record.is_complete(definition.prefetch_key)
    statements = [
        statement
        for statement in record.statements("Observation", definition.value_sets)
        if text_of(statement.resource.get("status")) in FINAL
    ]
    return newest(definition, statements, record, whole=whole, highest=highest)


def newest(
    definition: ObservationDefinition,
    statements: Iterable[Statement],
    record: PatientRecord,
    *,
    whole: bool,
    highest: bool,
) -> ObservationFact:
    """The newest of the statements; with none the value is missing if the lists are `whole`."""
    readings = _newest_first(definition, statements, record)
    first = next(readings, None)
    if first is None:
        return ObservationFact("missing" if whole else "not-retrieved")
    # Lazily: of a long history only what the fact tells is read.
    groups = groupby(chain((first,), readings), lambda each: each.span.earliest)
    latest = [each for each in next(groups)[1] if each.number is not None]
    if not latest:
        return _unreadable(first)
    older = (each for _, group in groups for each in group if each.number is not None)
    return _choose(latest, older, definition, record, highest)


def keys_of_observation(definition: ObservationDefinition) -> Iterable[Key]:
    """Where in the record's index such a fact looks."""
    yield from (("Observation", value_set) for value_set in definition.value_sets)


def _choose(
    newest: list[_Reading],
    older: Iterator[_Reading],
    definition: ObservationDefinition,
    record: PatientRecord,
    highest: bool,
) -> ObservationFact:
    newest.sort(key=lambda reading: middle(reading.number), reverse=highest)
    chosen, other = newest[0], newest[-1].number
    state = "conflicting" if other != chosen.number else "ok"
    if not chosen.span.is_within(definition.within, record.now):
        state = "stale" if chosen.span.is_within(_STALE_FOR, record.now) else "missing"
    usable = state in ("ok", "conflicting")
    previous = next(older, None)
    in_window = list(
        takewhile(
            lambda each: each.span.is_within(definition.within, record.now),
            chain((chosen,), (previous,) if previous else (), older),
        )
    )
    low, high = _reference_range(chosen, definition)
    return ObservationFact(
        state=state,
        value=chosen.number if usable else None,
        date=dates.written(chosen.span) if state != "missing" else None,
        age_days=chosen.span.days_before(record.now),
        last_value=chosen.number if state != "missing" else None,
        previous=previous.number if previous else None,
        low=low,
        high=high,
        flag=interpretation_of(chosen.statement.element),
        count=len(in_window),
        span_days=_span(in_window),
        other_value=other if state == "conflicting" else None,
        resources=(chosen.statement.resource,) if state != "missing" else (),
    )


def _unreadable(reading: _Reading) -> ObservationFact:
    return ObservationFact(
        "unreadable",
        date=dates.written(reading.span),
        flag=interpretation_of(reading.statement.element),
        resources=(reading.statement.resource,),
    )


def _newest_first(
    definition: ObservationDefinition, statements: Iterable[Statement], record: PatientRecord
) -> Iterator[_Reading]:
    dated = [
        (span, statement)
        for statement in statements
        if (span := dates.effective(statement.resource)) is not None
        and not span.is_future(record.now)  # counted by the list of results (R08)
        and not is_heading(statement.element)
    ]
    dated.sort(key=lambda each: each[0].earliest, reverse=True)
    for span, statement in dated:
        number = _number(definition, statement, record)
        if definition.at_least is None or not is_below(number, definition.at_least):
            yield _Reading(number, span, statement)


def _number(
    definition: ObservationDefinition, statement: Statement, record: PatientRecord
) -> Number | None:
    if definition.quantity is not None:
        return definition.quantity.read(statement.element)
    if definition.days_ahead:
        date = dates.read(statement.element.get("valueDateTime"))
        return float((date.latest.date() - record.now.date()).days) if date else None
    if definition.answer is not None:
        return coded_answer(definition.answer, statement.element.get("valueCodeableConcept"))
    return None


def _reference_range(
    reading: _Reading, definition: ObservationDefinition
) -> tuple[float | None, float | None]:
    ranges = reading.statement.element.get("referenceRange")
    if definition.quantity is None or not isinstance(ranges, list) or len(ranges) != 1:
        return None, None  # several ranges: which one holds for this patient is not said
    stated = ranges[0] if isinstance(ranges[0], dict) else {}
    quantity = definition.quantity
    return quantity.read_bound(stated.get("low")), quantity.read_bound(stated.get("high"))


def _span(readings: list[_Reading]) -> float | None:
    if not readings:
        return None
    newest, oldest = readings[0].span.earliest, readings[-1].span.earliest
    return float((newest.date() - oldest.date()).days)


def _read(definition: ObservationDefinition, reading: Reading) -> ObservationFact:
    return read_observation(definition, reading.record, highest=reading.highest)


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
