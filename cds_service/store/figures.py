"""The queries of the report: one for each kind of figure, for SQLite and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)

from cds_service.store.sums import hour_of, rules_of
from cds_service.store.tables import call_hour, card

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
IGNORED, WAITING = "ignored", "waiting"
SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until just before `until`. A card without feedback counts as ignored if it was
    shown before `answer_by`, and as waiting if later. All times are aware."""

    since: datetime
    until: datetime
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class RuleCount:
    """The number of cards of a rule with one result: a state other than shown, or for shown cards
    accepted, overridden, ignored or waiting. `reason` is that of overridden cards."""

    rule: str
    version: str
    became: str
    reason: str | None
    cards: int


@dataclass(frozen=True, slots=True)
class CallCount:
    """The calls of one client and tenant in one hour of a UTC day (2026-11-22); client None stands
    for calls of which nobody was asked. `silent` counts answered calls without cards."""

    day: str
    client: str | None
    answered: int
    refused: int
    silent: int
    cards: int


@dataclass(frozen=True, slots=True)
class DayOfCards:
    """The number of cards of one UTC day with one result, as in RuleCount."""

    day: str
    became: str
    cards: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """A card whose rule or data is wrong, according to a clinician."""

    card: str
    at: datetime
    reason: str
    rules: tuple[str, ...]


def rule_counts(connection: Connection, period: Period) -> list[RuleCount]:
    """The cards of every rule and version, counted by result and override reason."""
    columns = (card.c.service, card.c.counted, _became(period), card.c.reason_code, func.count())
    query = _cards_in(period, select(*columns)).group_by(
        card.c.service, card.c.counted, "became", card.c.reason_code
    )
    sums: Counter[tuple[str, str, str, str | None]] = Counter()
    for service, text, became, reason, cards in connection.execute(query):
        for rule, version in rules_of(text):
            sums[f"{service}/{rule}", version, became, reason] += cards
    return [RuleCount(*key, cards) for key, cards in sums.items()]


def call_counts(connection: Connection, period: Period, hooks: Iterable[str]) -> list[CallCount]:
    """The calls of these hooks by hour and client, from the hour in which the period begins.

    Discovery and feedback are left out.
    """
    columns = call_hour.c
    query = (
        select(
            columns.hour,
            columns.client,
            columns.answered,
            columns.refused,
            columns.silent,
            columns.cards,
        )
        .where(columns.hour >= hour_of(period.since))
        .where(columns.hour < period.until, columns.hook.in_(list(hooks)))
    )
    return [
        CallCount(f"{hour:%Y-%m-%d}", client or None, *counts)
        for hour, client, *counts in connection.execute(query)
    ]


def days_of_cards(connection: Connection, period: Period) -> list[DayOfCards]:
    """The cards by day and by result."""
    columns = select(_day(connection, card.c.at), _became(period), func.count())
    query = _cards_in(period, columns).group_by("day", "became")
    return [DayOfCards(*row) for row in connection.execute(query)]


def complaints(
    connection: Connection, period: Period, reasons: Iterable[str], most: int
) -> list[Complaint]:
    """The overrides in the period for one of the reasons, newest first, at most `most`."""
    columns = card.c
    query = (
        select(
            columns.uuid, columns.answered_at, columns.reason_code, columns.service, columns.counted
        )
        .where(is_in(columns.answered_at, period), columns.outcome == OVERRIDDEN)
        .where(columns.reason_code.in_(list(reasons)))
        .order_by(columns.answered_at.desc(), columns.uuid)
        .limit(most)
    )
    return [
        Complaint(
            uuid, at, reason, tuple(sorted(f"{service}/{rule}" for rule, _ in rules_of(text)))
        )
        for uuid, at, reason, service, text in connection.execute(query)
    ]


def _cards_in(period: Period, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The query over the cards of a period."""
    return query.select_from(card).where(is_in(card.c.at, period))


# Grouped by its name: PostgreSQL does not see that two SQL expressions with parameters are equal.
def _became(period: Period) -> ColumnElement[str]:
    return case(
        (card.c.state != SHOWN, card.c.state),
        (card.c.outcome.is_not(None), card.c.outcome),
        (card.c.at < period.answer_by, literal(IGNORED)),
        else_=literal(WAITING),
    ).label("became")


def is_in(column: ColumnElement[datetime], period: Period) -> ColumnElement[bool]:
    """Whether a time lies in the period."""
    return and_(column >= period.since, column < period.until)


def _day(connection: Connection, column: ColumnElement[datetime]) -> ColumnElement[str]:
    """The UTC day of a time; SQLite stores times as text, PostgreSQL is set to UTC."""
    if connection.dialect.name == "sqlite":
        return func.date(column, type_=String).label("day")
    return cast(cast(column, Date), String).label("day")
