"""Deletes old rows from the store, and counts rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.exc import IntegrityError

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.database import Store
from cds_service.store.sums import hour_of

_PORTION = 1000  # rows deleted in one transaction
_TRIAL = "a trial of readiness"  # no token hashes to this
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_PATIENCE = 2.0  # seconds that readiness may take
# By the column that says how old a row is, or how long it is good.
_AGES = (
    (tables.call, tables.call.c.at),
    (tables.card, tables.card.c.at),
    (tables.feedback, tables.feedback.c.received_at),
    (tables.reload_request, tables.reload_request.c.at),
)
_ENDS = (
    (tables.used_token, tables.used_token.c.until),
    (tables.reader_session, tables.reader_session.c.until),
    (tables.worker, tables.worker.c.until),
)


def can_write(store: Store) -> bool:
    """Whether a row can be stored now, in the newest schema.

    Only a write shows it: a database on a full disk can still be read.
    """
    row = {"key": _TRIAL, "until": _LONG_AGO}

    def write() -> None:
        with store.writing() as connection:
            connection.execute(delete(tables.used_token).where(tables.used_token.c.key == _TRIAL))
            connection.execute(tables.used_token.insert(), row)

    try:
        store.within(_PATIENCE, write)
    except (StoreUnavailable, IntegrityError) as error:
        # Another worker has just written the same row: so it can be written.
        return isinstance(error, IntegrityError)
    return True


def prune(store: Store, *, before: datetime, now: datetime) -> Mapping[str, int]:
    """Delete rows older than `before`, and tokens and sessions that expired by `now`.

    Returns how many, by table. Raises StoreUnavailable.
    """
    ages = [(table, column, before) for table, column in _AGES]
    ages += [(tables.call_hour, tables.call_hour.c.hour, hour_of(before))]
    ages += [(table, column, now) for table, column in _ENDS]
    return {table.name: _delete(store, table, column < limit) for table, column, limit in ages}


def _delete(store: Store, table: Table, is_old: ColumnElement[bool]) -> int:
    """Delete in portions, so that writers do not have to wait long."""
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
