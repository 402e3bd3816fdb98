"""Inserting what is not there yet, which each database has its own words for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one whose primary key is there already is left as it was."""
    if rows:
        connection.execute(insert_if_new(connection, table), rows)


def insert_if_new(connection: Connection, table: Table) -> Any:
    """An INSERT that does nothing where the primary key is there already."""
    # Late: either is large, and a service needs one of them.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    return insert(table).on_conflict_do_nothing()
