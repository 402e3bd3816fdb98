"""Used tokens in the store: one row for each token, for as long as it is valid."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Executable, delete

from cds_service.errors import StoreUnavailable
from cds_service.store.database import Store
from cds_service.store.insertion import insert_if_new
from cds_service.store.maintenance import can_write
from cds_service.store.tables import used_token

_TIDY_EVERY = 100  # uses; a few expired rows do no harm
_PATIENCE = 1.0  # seconds that a call may take for this


class StoredUsedTokens:
    """Used tokens, shared by all workers and machines with the same database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uses = 0

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether `key` is seen for the first time. Raises StoreUnavailable."""
        if self._store.has_just_failed:
            raise StoreUnavailable
        self._uses += 1
        if self._uses % _TIDY_EVERY == 0:
            self._change(delete(used_token).where(used_token.c.until < now))
        # If several workers try at once, the database lets only one insert the row.
        row = insert_if_new(self._store.engine, used_token).values(key=key, until=until)
        return self._change(row) == 1

    def _change(self, statement: Executable) -> int:
        return self._store.within(_PATIENCE, lambda: self._store.change(statement))

    def is_reachable(self) -> bool:
        """Whether the store can remember a token now."""
        return can_write(self._store)
