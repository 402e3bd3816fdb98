"""The workers of all machines that share a store: what each serves, and requests for a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select

from cds_service.clock import now
from cds_service.errors import StoreUnavailable
from cds_service.store.address import is_server
from cds_service.store.database import Store, open_store
from cds_service.store.tables import reload_request, worker

FORGOTTEN_AFTER = timedelta(seconds=30)  # a worker that is not noted again
_PATIENCE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Replicas:
    """A store where workers of several machines meet. All methods raise StoreUnavailable.

    `clock` returns an aware time; `id` is that of this worker.
    """

    store: Store
    clock: Callable[[], datetime] = now
    id: str = field(default_factory=lambda: str(uuid4()))

    def ask_for_reload(self) -> None:
        """Ask the workers of all machines to load their content again."""
        with self.store.writing() as connection:
            connection.execute(reload_request.insert().values(at=self.clock()))

    def last_request(self) -> int | None:
        """The number of the last request for a reload; None before the first."""
        query = select(func.max(reload_request.c.id))

        def look() -> int | None:
            with self.store.looking_up() as connection:
                number: int | None = connection.execute(query).scalar()
                return number

        return self.store.within(_PATIENCE, look)

    def note(self, knowledge_version: str) -> None:
        """Note what this worker serves. It is forgotten half a minute later."""
        row = {"knowledge_version": knowledge_version, "until": self.clock() + FORGOTTEN_AFTER}
        renewed = worker.update().where(worker.c.id == self.id).values(row)

        def write() -> None:
            if not self.store.change(renewed):
                self.store.change(worker.insert().values(id=self.id, **row))

        self.store.within(_PATIENCE, write)

    def workers_by_version(self) -> Mapping[str, int]:
        """How many workers serve each version of the knowledge."""
        version = worker.c.knowledge_version
        query = select(version, func.count()).where(worker.c.until > self.clock())
        query = query.group_by(version).order_by(version)

        def look() -> Mapping[str, int]:
            with self.store.looking_up() as connection:
                return {name: number for name, number in connection.execute(query)}

        return self.store.within(_PATIENCE, look)


def replicas_in(store_url: str) -> Replicas | None:
    """The replicas on a store that several machines can share; None for any other store.

    Raises SettingsError for an address that cannot work.
    """
    store = open_store(store_url) if is_server(store_url) else None
    return Replicas(store) if store else None


def last_request_in(store_url: str) -> int | None:
    """The last request in such a store; None for any other, and while it does not answer.

    Raises SettingsError for an address that cannot work.
    """
    replicas = replicas_in(store_url)
    if replicas is None:
        return None
    try:
        return replicas.last_request()
    except StoreUnavailable:
        return None
    finally:
        replicas.store.close()
