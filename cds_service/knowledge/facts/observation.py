"""What the record says of a measurement: the newest final FHIR Observation in its window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, groupby, takewhile

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.condition import code_of, text_of, written
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.quantities import Interval, Number, Quantity
from cds_service.knowledge.record.record import Key, PatientRecord, Statement

_FINAL = frozenset({"final", "amended", "corrected"})
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


@dataclass(frozen=True, slots=True)
class ObservationFact:
    """Members that expressions and words may use; None means that the record does not say.

    `state` is one of ok, conflicting, stale, unreadable, missing, not-retrieved. `value` is there
    only while ok or conflicting; `last_value` is the newest readable one however old.
    """

    state: str
    value: Number | None = None
    date: str | None = None
    age_days: Number | None = None
    last_value: Number | None = None
    previous: Number | None = None
    low: float | None = None
    high: float | None = None
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
    readings = _newest_first(definition, record)
    first = next(readings, None)
    if first is None:
        complete = record.is_complete(definition.prefetch_key)
        return ObservationFact("missing" if complete else "not-retrieved")
    # Lazily: of a long history only what the fact tells is read.
    groups = groupby(chain((first,), readings), lambda each: each.span.earliest)
    newest = [each for each in next(groups)[1] if each.number is not None]
    if not newest:
        return _unreadable(first)
    older = (each for _, group in groups for each in group if each.number is not None)
    return _choose(newest, older, definition, record, highest)


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
    newest.sort(key=lambda reading: _middle(reading.number), reverse=highest)
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
        date=written(chosen.span) if state != "missing" else None,
        age_days=chosen.span.days_before(record.now),
        last_value=chosen.number if state != "missing" else None,
        previous=previous.number if previous else None,
        low=low,
        high=high,
        flag=_flag(chosen.statement),
        count=len(in_window),
        span_days=_span(in_window),
        other_value=other if state == "conflicting" else None,
        resources=(chosen.statement.resource,) if state != "missing" else (),
    )


def _unreadable(reading: _Reading) -> ObservationFact:
    return ObservationFact(
        "unreadable",
        date=written(reading.span),
        flag=_flag(reading.statement),
        resources=(reading.statement.resource,),
    )


def _newest_first(definition: ObservationDefinition, record: PatientRecord) -> Iterator[_Reading]:
    dated = list(_dated(definition, record))
    dated.sort(key=lambda each: each[0].earliest, reverse=True)
    for span, statement in dated:
        number = _number(definition, statement, record)
        if definition.at_least is None or not _is_below(number, definition.at_least):
            yield _Reading(number, span, statement)


def _dated(
    definition: ObservationDefinition, record: PatientRecord
) -> Iterable[tuple[dates.Span, Statement]]:
    for statement in record.statements("Observation", definition.value_sets):
        if text_of(statement.resource.get("status")) not in _FINAL or _is_heading(
            statement.element
        ):
            continue
        span = _effective(statement.resource)
        if span is None or span.is_future(record.now):
            continue  # counted by the list of results (R08)
        yield span, statement


def _is_heading(element: Resource) -> bool:
    """Whether it only gathers other Observations, as a panel does."""
    gathers = "component" in element or "hasMember" in element
    return gathers and not any(member.startswith("value") for member in element)


def _number(
    definition: ObservationDefinition, statement: Statement, record: PatientRecord
) -> Number | None:
    if definition.quantity is not None:
        return definition.quantity.read(statement.element)
    if definition.days_ahead:
        date = dates.read(statement.element.get("valueDateTime"))
        return float((date.latest.date() - record.now.date()).days) if date else None
    if definition.answer is not None:
        return _answer(definition.answer, statement.element.get("valueCodeableConcept"))
    return None


def _answer(expected: tuple[str, str], concept: object) -> float | None:
    """1 when the coded value is the expected one, 0 when it is another, None when there is none."""
    if code_of(concept) is None:
        return None
    codings = concept["coding"] if isinstance(concept, dict) else []
    found = {
        (text_of(each.get("system")), text_of(each.get("code")))
        for each in codings
        if isinstance(each, dict)
    }
    return 1.0 if expected in found else 0.0


def _effective(resource: Resource) -> dates.Span | None:
    period = resource.get("effectivePeriod")
    period = period if isinstance(period, dict) else {}
    for candidate in (
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        period.get("end"),
        period.get("start"),
        resource.get("issued"),
    ):
        span = dates.read(candidate)
        if span:
            return span
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


def _flag(statement: Statement) -> str | None:
    interpretations = statement.element.get("interpretation")
    for interpretation in interpretations if isinstance(interpretations, list) else ():
        code = code_of(interpretation)
        if code:
            return code
    return None


def _span(readings: list[_Reading]) -> float | None:
    if not readings:
        return None
    newest, oldest = readings[0].span.earliest, readings[-1].span.earliest
    return float((newest.date() - oldest.date()).days)


def _middle(number: Number | None) -> float:
    if isinstance(number, Interval):
        return (max(number.low, -1e12) + min(number.high, 1e12)) / 2
    return number if number is not None else 0.0


def _is_below(number: Number | None, bound: float) -> bool:
    if isinstance(number, Interval):
        return number.high < bound
    return number is not None and number < bound
