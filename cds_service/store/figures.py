"""What the report counts, asked of the database: one query a kind of figure, on both databases."""

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
    select,
)

from cds_service.store.tables import call, card, card_rule

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
IGNORED, WAITING = "ignored", "waiting"
SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until just before `until`; a card without feedback is ignored if it was shown
    before `answer_by`, and waits for an answer if it was shown later. All aware."""

    since: datetime
    until: datetime
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many cards that rest on a rule came to this: a state other than shown, or what became
    of a card that was shown."""

    rule: str
    version: str
    became: str
    cards: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """For how many cards that rest on a rule this reason was given against them."""

    rule: str
    version: str
    reason: str | None
    cards: int


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """The answered calls of one UTC day, written 2026-11-22; `silent` ones sent no card."""

    day: str
    calls: int
    silent: int


@dataclass(frozen=True, slots=True)
class DayOfCards:
    """The cards of one UTC day that came to the same, as in RuleCount."""

    day: str
    became: str
    cards: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """A card that somebody said rests on a wrong rule or on wrong data."""

    card: str
    at: datetime
    reason: str
    rules: tuple[str, ...]


def rule_counts(connection: Connection, period: Period) -> list[RuleCount]:
    """Every rule and version with the cards that rest on it, by what clinicians did with them."""
    columns = select(*_rule, _became(period), func.count())
    query = (
        _cards_in(period, columns)
        .join(card_rule, card_rule.c.card_uuid == card.c.uuid)
        .group_by(*_rule, "became")
    )
    return [
        RuleCount(f"{service}/{rule}", *others)
        for service, rule, *others in connection.execute(query)
    ]


def reason_counts(connection: Connection, period: Period) -> list[ReasonCount]:
    """The reasons against cards that were shown, by rule and version."""
    query = (
        select(*_rule, card.c.reason_code, func.count())
        .select_from(card)
        .join(card_rule, card_rule.c.card_uuid == card.c.uuid)
        .where(_is_in(card.c.at, period), card.c.state == SHOWN)
        .where(card.c.outcome == OVERRIDDEN)
        .group_by(*_rule, card.c.reason_code)
    )
    return [
        ReasonCount(f"{service}/{rule}", *others)
        for service, rule, *others in connection.execute(query)
    ]


def days_of_calls(connection: Connection, period: Period, hooks: Iterable[str]) -> list[DayOfCalls]:
    """The answered calls of these hooks by day; the audit holds discovery and feedback too."""
    silent = func.sum(case((call.c.cards == 0, 1), else_=0))
    query = (
        select(_day(connection, call.c.at), func.count(), silent)
        .where(_is_in(call.c.at, period), call.c.status == 200, call.c.hook.in_(list(hooks)))
        .group_by("day")
    )
    return [DayOfCalls(*row) for row in connection.execute(query)]


def days_of_cards(connection: Connection, period: Period) -> list[DayOfCards]:
    """The cards by day and by what clinicians did with them."""
    columns = select(_day(connection, card.c.at), _became(period), func.count())
    query = _cards_in(period, columns).group_by("day", "became")
    return [DayOfCards(*row) for row in connection.execute(query)]


def complaints(
    connection: Connection, period: Period, reasons: Iterable[str], most: int
) -> list[Complaint]:
    """Overrides that came in the period for one of the reasons, newest first, at most `most`."""
    query = (
        select(card.c.uuid, card.c.answered_at, card.c.reason_code)
        .where(_is_in(card.c.answered_at, period), card.c.outcome == OVERRIDDEN)
        .where(card.c.reason_code.in_(list(reasons)))
        .order_by(card.c.answered_at.desc(), card.c.uuid)
        .limit(most)
    )
    found = [tuple(row) for row in connection.execute(query)]
    rules: dict[str, list[str]] = {}
    resting = (
        select(card_rule.c.card_uuid, card.c.service, card_rule.c.rule)
        .join(card, card.c.uuid == card_rule.c.card_uuid)
        .where(card_rule.c.card_uuid.in_([row[0] for row in found]))
    )
    for uuid, service, rule in connection.execute(resting.order_by(card_rule.c.rule)):
        rules.setdefault(uuid, []).append(f"{service}/{rule}")
    return [Complaint(uuid, at, reason, tuple(rules.get(uuid, ()))) for uuid, at, reason in found]


# Outside its service a rule is named `service/rule`.
_rule = (card.c.service, card_rule.c.rule, card_rule.c.version)


def _cards_in(period: Period, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The query over the cards of a period."""
    return query.select_from(card).where(_is_in(card.c.at, period))


# Grouped by its name: PostgreSQL does not see that two expressions with parameters are the same.
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
    """The UTC day of an instant; SQLite keeps it as text, PostgreSQL speaks UTC with us."""
    if connection.dialect.name == "sqlite":
        return func.date(column, type_=String).label("day")
    return cast(cast(column, Date), String).label("day")
