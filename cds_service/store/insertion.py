"""Inserts that skip or change rows which are there already, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; a row whose primary key exists already stays unchanged."""
    if rows:
        connection.execute(insert_if_new(connection, table), rows)


def insert_if_new(connection: Connection | Engine, table: Table) -> Any:
    """An INSERT that skips rows whose primary key exists already."""
    return insert_into(connection, table).on_conflict_do_nothing()


def insert_into(connection: Connection | Engine, table: Table) -> Any:
    """An INSERT in the words of the database, which may say what to do with an existing row."""
    # Late: both are large, and a service needs only one of them.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
