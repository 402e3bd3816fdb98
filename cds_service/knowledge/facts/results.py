"""The results of a test, and which of them count: the newest, and those that may be as new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Annotated

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kind import PRESENT, Fact
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import as_written, interpretation_of, text_of
from cds_service.knowledge.record.quantities import (
    Number,
    Quantity,
    is_written,
    middle,
    number_text,
)
from cds_service.knowledge.record.statements import Statement

# A form that was not sent may have other answers tomorrow: only `completed` is sure.
_FINAL = frozenset({"final", "amended", "corrected", "appended"})
_COMPLETED = frozenset({"completed", "amended"})
# FHIR's ObservationInterpretation: out of the range, by far, or abnormal without a direction.
_ABNORMAL = frozenset({"L", "LL", "LU", "<", "H", "HH", "HU", ">", "A", "AA"})
# Never measured, or withdrawn.
_NO_RESULT = frozenset({"cancelled", "entered-in-error"})

Read = Callable[[Statement], Number | None]


@dataclass(frozen=True, slots=True)
class Result:
    """One result; `number` None could not be read, `span` None has no date.

    `is_doubtful` if it is not final, is faulty, has its number from a text, has no code, or has a
    date that leaves open whether it is in the window.
    """

    statement: Statement
    number: Number | None
    span: dates.Span | None
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class ObservationFact(Fact):
    """Members that expressions and words may use; None means that the record does not say.

    `value` is there only while ok, conflicting or uncertain (not final, or without a sure date);
    `last_value` is the newest readable value, of any age.
    """

    state: Annotated[
        str,
        "ok, conflicting, uncertain, stale, unreadable, missing, not-retrieved",
    ]
    value: Annotated[Number | None, "only in its window"] = None
    date: str | None = None
    age_days: Number | None = None
    last_value: Number | None = None
    previous: Number | None = None
    low: float | None = None
    high: Annotated[float | None, "reference range"] = None
    flag: str | None = None
    outside: Annotated[
        bool | None,
        "flagged, or out of its range, or of `usual` without one; never beyond `silent`",
    ] = None
    count: int = 0
    span_days: float | None = None
    other_value: Number | None = None
    newer_unread: Annotated[bool, "a newer one could not be read"] = False
    written: Annotated[str | None, "as the record writes it, where it cannot be read"] = None
    reported: Annotated[str | None, "as the laboratory wrote it, where its unit is not ours"] = None
    unit: Annotated[str | None, "ours, where the laboratory wrote another"] = None
    resources: tuple[Resource, ...] = ()

    @property
    def present(self) -> bool | None:
        """Whether there is a usable value; None when the results were not retrieved."""
        if self.value is not None:
            return True
        return None if self.state in ("not-retrieved", "unreadable", "uncertain") else False

    def standing(self) -> str:
        """Its state; "present" if it is ok."""
        return PRESENT if self.state == "ok" else self.state

    def is_gap(self) -> bool:
        """Whether a value could not be read, or the list of results did not come."""
        return self.state in ("unreadable", "not-retrieved")

    def stated(self) -> list[str]:
        """Its state, and the values beside the one that its resource shows."""
        state = [] if self.state == "ok" else [self.state]
        others = (self.previous, self.other_value)
        return [*state, *(number_text(number) for number in others if number is not None)]

    def has_rival(self) -> bool:
        """Whether another value of the same time, or no value, may be the right one."""
        return self.state in ("conflicting", "uncertain") or self.other_value is not None


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one fact on the day of the call.

    `newest` are the newest final ones that can be read, all of one time; `rivals` doubtful ones
    that may be as new; `unread` the newest that cannot be read, if it is newer than those that can;
    `older` the others that can be read, newest first; `stale` is whether `newest` lie before the
    window.
    """

    newest: tuple[Result, ...]
    rivals: tuple[Result, ...]
    unread: Result | None
    older: Iterator[Result]


def results_of(
    statements: Iterable[Statement],
    read: Read,
    within: timedelta,
    now: datetime,
    keeps: Callable[[Number | None], bool],
) -> Results:
    """The results among statements; numbers that are not kept are left out."""
    final: list[tuple[dates.Span, Statement]] = []
    doubtful: list[tuple[dates.Span | None, Statement]] = []
    for statement in statements:
        status, span = statement.judgement.status, statement.judgement.effective
        if status in _NO_RESULT or statement.is_heading:
            continue
        if span is not None and span.is_future(now):
            continue  # the list of results counts it
        is_in_window = span is not None and span.is_within(within, now)
        is_old = span is not None and not is_in_window and span.is_before(within, now)
        if span and (is_old or is_in_window) and _is_final(statement):
            final.append((span, statement))
        elif not is_old:
            doubtful.append((span, statement))
    final.sort(key=lambda dated: (dated[0].latest, dated[0].earliest), reverse=True)

    def readings() -> Iterator[Result]:
        # Lazily: only the results that the fact needs are read and validated.
        for span, statement in final:
            if statement.is_faulty or statement.is_weak or is_written(statement.element):
                if not span.is_before(within, now):
                    doubtful.append((span, statement))
                continue
            result = Result(statement, read(statement), span)
            if keeps(result.number):
                yield result

    unread, newest, older = _split(readings())
    since = newest[0].span.earliest if newest and newest[0].span else None
    rivals = [
        result
        for span, statement in doubtful
        if since is None or span is None or span.latest >= since
        if keeps((result := Result(statement, read(statement), span, True)).number)
    ]
    if unread is None:
        unread = next((result for result in rivals if result.number is None), None)
    return Results(
        newest, tuple(rival for rival in rivals if rival.number is not None), unread, older
    )


def reference_range(result: Result, quantity: Quantity | None) -> tuple[float | None, float | None]:
    """The laboratory's own range in our unit, if it states one and no more."""
    ranges = result.statement.element.get("referenceRange")
    if quantity is None or not isinstance(ranges, list) or len(ranges) != 1:
        return None, None  # several ranges: it is not said which one applies to this patient
    stated = ranges[0] if isinstance(ranges[0], dict) else {}
    return quantity.read_bound(stated.get("low")), quantity.read_bound(stated.get("high"))


def is_outside(
    result: Result,
    stated: tuple[float | None, float | None],
    usual: tuple[float | None, float | None],
    silent: tuple[float | None, float | None] | None,
) -> bool | None:
    """Whether a result is flagged or out of its range, and has no rule of its own.

    None when the definition does not ask for it, or the usual range is unknown.
    """
    if silent is None or result.number is None:
        return None
    if _is_beyond(result.number, silent):
        return False
    flag = (interpretation_of(result.statement.element) or "").strip().upper()
    if flag in _ABNORMAL:
        return True
    limits = usual if stated == (None, None) else stated
    if limits == (None, None):
        return False if flag == "N" else None
    return _is_beyond(result.number, limits)


def _is_beyond(number: Number, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    value = middle(number)
    return (low is not None and value < low) or (high is not None and value > high)


def as_reported(result: Result, quantity: Quantity | None) -> tuple[str | None, str | None]:
    """Value and unit as the laboratory wrote them, and our unit; nothing where it is the same."""
    if quantity is None or not quantity.is_converted(result.statement.element):
        return None, None
    return as_written(result.statement.element), quantity.unit


def days_between(results: Iterable[Result]) -> float | None:
    """Calendar days from the oldest to the newest; None without a date."""
    days = [result.span.earliest.date() for result in results if result.span]
    return float((max(days) - min(days)).days) if days else None


def _split(
    readings: Iterator[Result],
) -> tuple[Result | None, tuple[Result, ...], Iterator[Result]]:
    """The newest unread one before the newest that can be read, all of its time, and the rest."""
    unread = None
    newest: list[Result] = []
    older: list[Result] = []
    for result in readings:
        if result.number is None:
            if not newest or _are_one_time(result, newest[0]):
                unread = unread or result
        elif not newest or _are_one_time(result, newest[0]):
            newest.append(result)
        else:
            older.append(result)
            if result.span and newest[0].span and result.span.latest < newest[0].span.earliest:
                break
    rest = (result for result in readings if result.number is not None)
    if newest and unread and _are_one_time(unread, newest[0]):
        unread = None  # not newer: a readable one of the same time is shown
    return unread, tuple(newest), chain(older, rest)


def _is_final(statement: Statement) -> bool:
    """Whether it is sure to stand: only by a code of FHIR as it is written, never by a repair."""
    written = statement.judgement.written
    is_form = written["resourceType"] == "QuestionnaireResponse"
    return text_of(written.get("status")) in (_COMPLETED if is_form else _FINAL)


def _are_one_time(one: Result, other: Result) -> bool:
    return bool(one.span and other.span and one.span.overlaps(other.span))
