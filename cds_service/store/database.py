"""The database of the store: SQLite in our own file, or PostgreSQL at an address."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_service.errors import SettingsError, StoreUnavailable
from cds_service.settings import STATELESS
from cds_service.store import schema
from cds_service.store.address import APPLICATION, address_of, folder_of

# Errors of a statement, not of the database: waiting and repeating would not help.
_OURS = (DataError, IntegrityError, NotSupportedError)
_SQLITE = (
    "busy_timeout = 2500",  # milliseconds; first, because the next line may have to wait
    "journal_mode = WAL",  # readers never wait for writers
    "synchronous = FULL",  # what is committed survives a loss of power
    "foreign_keys = ON",
    "cache_size = -512",  # KiB a connection: the system keeps the file in memory anyway
)
_POSTGRESQL = {
    "connect_timeout": 2,  # seconds; the minimum of libpq
    "tcp_user_timeout": 3000,  # milliseconds
    "options": "-c statement_timeout=5000 -c lock_timeout=3000 -c synchronous_commit=on"
    " -c timezone=UTC",  # days are UTC days, wherever the server is
    "application_name": APPLICATION,
}

_REST = 5.0  # seconds
_TRIES_TO_OPEN = 10  # each waits as long as SQLite waits for a lock

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Store:
    """A database with the newest schema. All methods can be called from any thread.

    After a failure the store rests until something succeeds, so that calls do not wait again for a
    database that is down.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._failed_at: float | None = None
        self._is_current = False
        self._lock = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading. Raises StoreUnavailable."""
        with self._transaction("DEFERRED") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed, and on disk, at the end of the block.

        Raises StoreUnavailable: nothing was stored, or it is not known whether it was.
        """
        with self._transaction("IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def looking_up(self) -> Iterator[Connection]:
        """A connection for one statement that only reads. Raises StoreUnavailable."""
        with self._transaction("") as connection:
            yield connection

    def change(self, statement: Executable) -> int:
        """Run one statement; returns how many rows it changed. Raises StoreUnavailable."""
        with self._transaction("") as connection:
            connection.execution_options(preserve_rowcount=True)
            return int(connection.execute(statement).rowcount)

    @property
    def is_of_several_machines(self) -> bool:
        """Whether several machines may share it: a server, not a file."""
        return self.engine.dialect.name != "sqlite"

    @property
    def is_resting(self) -> bool:
        """Whether the database failed and has not answered since."""
        return self._failed_at is not None

    @property
    def has_just_failed(self) -> bool:
        """Whether it is too early to try again."""
        failed_at = self._failed_at  # read once: another thread may change it
        return failed_at is not None and monotonic() - failed_at < _REST

    def within(self, seconds: float, work: Callable[[], Result]) -> Result:
        """The result of `work`. Raises StoreUnavailable if a server needs more than `seconds`.

        A server that hangs would block the thread of the call. So the work runs in its own thread;
        after a timeout it continues there, and may still succeed.
        """
        if not self.is_of_several_machines:  # SQLite has its own short timeout
            return work()
        future: Future[Result] = Future()
        Thread(target=_fulfil, args=(future, work), daemon=True).start()
        try:
            return future.result(seconds)
        except TimeoutError:
            self._note_failure("it does not answer in time")
            raise StoreUnavailable from None

    def migrate(self) -> None:
        """Bring the schema up to date; several processes may do this at once.

        Raises StoreUnavailable, and SettingsError for a schema that is newer than this release.
        """
        with self._translated(), self._lock:
            if not self._is_current:
                schema.upgrade(self.engine)
                self._is_current = True

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[Connection]:
        # A database that was down at the start gets the newest schema when it is back.
        if not self._is_current:
            try:
                self.migrate()
            except SettingsError:  # meanwhile a newer release has migrated it
                self._note_failure("its schema is newer")
                raise StoreUnavailable from None
        with self._translated():
            with self.engine.connect().execution_options(sqlite_begin=kind) as connection:
                with connection.begin():
                    yield connection
            if not self.has_just_failed:
                self._failed_at = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _OURS:
            raise
        except (DBAPIError, PoolTimeout) as error:
            # Another process is writing: only this call is refused.
            if not _is_busy(error):
                self._note_failure(type(error).__name__)
            # Without its cause: the message of a driver may contain values.
            raise StoreUnavailable from None

    def _note_failure(self, kind: str) -> None:
        if self._failed_at is None:
            logger.error("store unavailable: %s", kind)
        self._failed_at = monotonic()


def _is_busy(error: Exception) -> bool:
    """Whether SQLite waited in vain for another writer; its file is well."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the rest says why it was busy


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _fulfil(future: Future[Result], work: Callable[[], Result]) -> None:
    try:
        future.set_result(work())
    except Exception as error:  # any error goes to the caller
        future.set_exception(error)


def open_store(url: str) -> Store | None:
    """The store at `url`: "embedded" is SQLite in the platform's data folder, "none" is no store.

    A database that does not answer is tried again when needed. Raises SettingsError for an address
    that cannot work.
    """
    if url == STATELESS:
        return None
    address = address_of(url)
    store = Store(_postgresql(address) if address.drivername != "sqlite" else _sqlite(address))
    for tries_left in reversed(range(_TRIES_TO_OPEN)):
        try:
            store.migrate()
            break
        except StoreUnavailable as error:
            if address.drivername != "sqlite":
                break
            # Another worker may be making the tables; waiting helps no other problem of a file.
            if store.has_just_failed or not tries_left:
                raise SettingsError(
                    f"CDS_STORE_URL: the store in {address.database} cannot be opened; name"
                    " another place, or none"
                ) from error
        except SettingsError:  # its schema is newer
            store.close()
            raise
    return store


def _sqlite(address: URL) -> Engine:
    folder_of(address.render_as_string())
    path = Path(str(address.database))
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"CDS_STORE_URL: {path}: {error.strerror}") from error
    engine = create_engine(address, pool_timeout=2, json_serializer=_json)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, also for DDL
    for pragma in _SQLITE:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writing transaction says so at its start: turning a read into a write can fail at once.
    kind = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    # A single statement holds the lock itself, and does not wait for this program's other threads.
    if kind:
        connection.exec_driver_sql(f"BEGIN {kind}")


def _postgresql(address: URL) -> Engine:
    try:
        return create_engine(
            address,
            connect_args=_POSTGRESQL,
            json_serializer=_json,
            pool_pre_ping=True,
            pool_timeout=2,
            pool_recycle=3600,
        )
    except ImportError:
        raise SettingsError(
            "CDS_STORE_URL: PostgreSQL needs psycopg: install anxiety-cds-service[postgres]"
        ) from None
