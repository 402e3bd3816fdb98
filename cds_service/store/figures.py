"""The queries of the report: one for each kind of figure, for SQLite and PostgreSQL."""

from __future__ import annotations

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
    or_,
    select,
)

from cds_service.store.tables import call, card, card_rule

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
    """The calls of one client and tenant on one UTC day (2026-11-22); client None stands for calls
    of which nobody was asked. `silent` counts answered calls without cards."""

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
    columns = select(*_rule, _became(period), card.c.reason_code, func.count())
    query = (
        _cards_in(period, columns)
        .join(card_rule, card_rule.c.card_uuid == card.c.uuid)
        .where(_is_of_the_card)
        .group_by(*_rule, "became", card.c.reason_code)
    )
    return [
        RuleCount(f"{service}/{rule}", *others)
        for service, rule, *others in connection.execute(query)
    ]


def call_counts(connection: Connection, period: Period, hooks: Iterable[str]) -> list[CallCount]:
    """The calls of these hooks by day and client; discovery and feedback are left out."""
    is_answered = call.c.status == 200
    query = (
        select(
            _day(connection, call.c.at),
            call.c.client,
            func.sum(case((is_answered, 1), else_=0)),
            func.sum(case((is_answered, 0), else_=1)),
            func.sum(case((and_(is_answered, call.c.cards == 0), 1), else_=0)),
            func.sum(call.c.cards),
        )
        .where(_is_in(call.c.at, period), call.c.hook.in_(list(hooks)))
        .group_by("day", call.c.client)
    )
    return [CallCount(*row) for row in connection.execute(query)]


def days_of_cards(connection: Connection, period: Period) -> list[DayOfCards]:
    """The cards by day and by result."""
    columns = select(_day(connection, card.c.at), _became(period), func.count())
    query = _cards_in(period, columns).group_by("day", "became")
    return [DayOfCards(*row) for row in connection.execute(query)]


def complaints(
    connection: Connection, period: Period, reasons: Iterable[str], most: int
) -> list[Complaint]:
    """The overrides in the period for one of the reasons, newest first, at most `most`."""
    query = (
        select(card.c.uuid, card.c.answered_at, card.c.reason_code)
        .where(_is_in(card.c.answered_at, period), card.c.outcome == OVERRIDDEN)
        .where(card.c.reason_code.in_(list(reasons)))
        .order_by(card.c.answered_at.desc(), card.c.uuid)
        .limit(most)
    )
    complaint_rows = [tuple(row) for row in connection.execute(query)]
    rules: dict[str, list[str]] = {}
    resting = (
        select(card_rule.c.card_uuid, card.c.service, card_rule.c.rule)
        .join(card, card.c.uuid == card_rule.c.card_uuid)
        .where(card_rule.c.card_uuid.in_([row[0] for row in complaint_rows]), _is_of_the_card)
    )
    for uuid, service, rule in connection.execute(resting.order_by(card_rule.c.rule)):
        rules.setdefault(uuid, []).append(f"{service}/{rule}")
    return [
        Complaint(uuid, at, reason, tuple(rules.get(uuid, ())))
        for uuid, at, reason in complaint_rows
    ]


# Reports span services, so a rule is named `service/rule`.
_rule = (card.c.service, card_rule.c.rule, card_rule.c.version)
# A rule that warns and is told on a card for information has a card of its own, and counts there:
# an answer to the one card is no answer to the other.
_WARNS = ("warning", "critical")
_is_of_the_card = or_(card.c.indicator != "info", card_rule.c.level.not_in(_WARNS))


def _cards_in(period: Period, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The query over the cards of a period."""
    return query.select_from(card).where(_is_in(card.c.at, period))


# Grouped by its name: PostgreSQL does not see that two SQL expressions with parameters are equal.
def _became(period: Period) -> ColumnElement[str]:
    return case(
        (card.c.state != SHOWN, card.c.state),
        (card.c.outcome.is_not(None), card.c.outcome),
        (card.c.at < period.answer_by, literal(IGNORED)),
        else_=literal(WAITING),
    ).label("became")


def _is_in(column: ColumnElement[datetime], period: Period) -> ColumnElement[bool]:
    return and_(column >= period.since, column < period.until)


def _day(connection: Connection, column: ColumnElement[datetime]) -> ColumnElement[str]:
    """The UTC day of a time; SQLite stores times as text, PostgreSQL is set to UTC."""
    if connection.dialect.name == "sqlite":
        return func.date(column, type_=String).label("day")
    return cast(cast(column, Date), String).label("day")
