"""Traces of a period, call by call: what a shadow period leaves behind for its evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, case, func, select

from cds_service.store.cards import SHADOW
from cds_service.store.figures import Period, is_in
from cds_service.store.tables import Instant, call, card

_AT_ONCE = 1000  # rows that are in memory


@dataclass(frozen=True, slots=True)
class TracedCard:
    """A stored card: `rules` are pairs of its rules with `id`, `version` and `level`."""

    at: datetime
    patient: str
    user: str
    service: str
    slot: str
    indicator: str
    rules: Sequence[Mapping[str, str]]
    trace: Mapping[str, Any]


_COLUMNS = (
    card.c.at,
    card.c.patient_hash,
    card.c.user_hash,
    card.c.service,
    card.c.slot,
    card.c.indicator,
    card.c.rules,
    card.c.trace,
)
_WORST_FIRST = case({"critical": 0, "warning": 1}, value=card.c.indicator, else_=2)
_CALL = attrgetter("at", "patient", "user")


def shadow_calls(connection: Connection, period: Period) -> Iterator[Sequence[TracedCard]]:
    """The cards in shadow of each call that has some: oldest call first, worst card first."""
    query = (
        select(*_COLUMNS)
        .where(is_in(card.c.at, period), card.c.state == SHADOW)
        .order_by(card.c.at, card.c.patient_hash, card.c.user_hash)
        .order_by(_WORST_FIRST, card.c.slot, card.c.uuid)
    )
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(query)
    for _, cards in groupby((TracedCard(*row) for row in rows), _CALL):
        yield list(cards)


def shadow_call(connection: Connection, patient: str, at: datetime) -> Sequence[TracedCard]:
    """The cards in shadow of the call for a patient at a time, worst first."""
    query = (
        select(*_COLUMNS)
        .where(card.c.at == at, card.c.patient_hash == patient, card.c.state == SHADOW)
        .order_by(_WORST_FIRST, card.c.slot, card.c.uuid)
    )
    return [TracedCard(*row) for row in connection.execute(query)]


def answered_calls(
    connection: Connection, period: Period, hooks: Iterable[str], mode: str
) -> Iterator[datetime]:
    """The times of the answered calls of these hooks in a mode, live or shadow.

    A call that is repeated with its hookInstance counts once: its cards are stored once.
    """
    first = func.min(call.c.at, type_=Instant)
    query = (
        select(first)
        .where(is_in(call.c.at, period), call.c.status == 200)
        .where(call.c.hook.in_(list(hooks)), call.c.mode == mode)
        .group_by(call.c.hook_instance_hash)
        .order_by(first)
    )
    yield from connection.execution_options(yield_per=_AT_ONCE).execute(query).scalars()


def modes(connection: Connection, period: Period) -> Mapping[str, int]:
    """How many answered calls of the period there are in each mode."""
    query = (
        select(call.c.mode, func.count())
        .where(is_in(call.c.at, period), call.c.status == 200)
        .group_by(call.c.mode)
    )
    return {mode: count for mode, count in connection.execute(query)}
