"""How long the store keeps its rows, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, func, select

from cds_service.store import tables
from cds_service.store.database import Store

_PORTION = 1000  # rows deleted in one transaction
# By the column that says how old a row is. The rules of a card go with it.
_AGES = (
    (tables.call, tables.call.c.at),
    (tables.card, tables.card.c.at),
    (tables.feedback, tables.feedback.c.received_at),
)


def prune(store: Store, *, before: datetime, now: datetime) -> Mapping[str, int]:
    """Delete what is older than `before`, and tokens that ended by `now`: how many, by table.

    Raises StoreUnavailable.
    """
    ages = (*((table, column, before) for table, column in _AGES),)
    ages += ((tables.used_token, tables.used_token.c.until, now),)
    return {table.name: _delete(store, table, column < limit) for table, column, limit in ages}


def _delete(store: Store, table: Table, is_old: ColumnElement[bool]) -> int:
    """Delete in portions, so that nobody who writes has to wait for long."""
    key = table.primary_key.columns[0]
    portion = select(key).where(is_old).limit(_PORTION)
    deleted = 0
    while True:
        with store.writing() as connection:
            count = connection.execute(delete(table).where(key.in_(portion))).rowcount
        deleted += count
        if count < _PORTION:
            return deleted


def counts(store: Store) -> Mapping[str, int]:
    """How many rows each table holds. Raises StoreUnavailable."""
    with store.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
        }
