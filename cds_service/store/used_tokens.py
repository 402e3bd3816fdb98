"""Used tokens in the store: one row a token, for as long as it could come again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.store.database import Store
from cds_service.store.tables import used_token

_TIDY_EVERY = 100  # uses; expired rows are few, and do no harm


class StoredUsedTokens:
    """The memory of used tokens that all workers and machines of one database share."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uses = 0

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether `key` comes for the first time. Raises StoreUnavailable."""
        self._uses += 1
        row = {"key": key, "until": until}
        with self._store.writing() as connection:
            if self._uses % _TIDY_EVERY == 0:
                connection.execute(delete(used_token).where(used_token.c.until < now))
            # Of several workers that try at once, the database lets one insert the row.
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            statement = insert(used_token).values(row).on_conflict_do_nothing()
            return connection.scalar(statement.returning(used_token.c.key)) is not None

    def is_reachable(self) -> bool:
        """Whether the store answers."""
        return self._store.is_reachable()
