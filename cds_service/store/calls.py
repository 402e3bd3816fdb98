"""Reads the audit in the order in which it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime

from sqlalchemy import select

from cds_service.store.database import Store
from cds_service.store.tables import CallRow, call

_AT_ONCE = 1000


def calls(store: Store, since: datetime | None = None) -> Iterator[CallRow]:
    """The rows of the audit, all or from `since` on. Raises StoreUnavailable."""
    columns = [call.c[field.name] for field in fields(CallRow)]
    last = 0
    while True:
        page = select(call.c.id, *columns).where(call.c.id > last).order_by(call.c.id)
        if since is not None:
            page = page.where(call.c.at >= since)
        with store.reading() as connection:
            rows = connection.execute(page.limit(_AT_ONCE)).all()
        for number, *values in rows:
            last = number
            yield CallRow(**dict(zip((column.name for column in columns), values, strict=True)))
        if len(rows) < _AT_ONCE:
            return
