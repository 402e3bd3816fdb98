"""Writes the rows of hook calls behind their back: a call never waits for it and never fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from multiprocessing.util import Finalize
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.answers import count_answers, set_back
from cds_service.store.database import Store, insert_new
from cds_service.store.tables import CallRow, CardRow, members_of

Row = CallRow | CardRow

MOST_WAITING = 10_000
_BATCH = 500
_GATHER = 0.5  # seconds for others to come along: a transaction costs as much for one as for ten
_PAUSE = 1.0  # seconds until a database that did not answer is asked again
_LAST_WORDS = 5.0  # seconds that a stopping process gives to what still waits

logger = logging.getLogger(__name__)


class Writer:
    """A queue and the one thread that empties it into `store`; without a store rows go nowhere.

    The thread starts with the first row, hence in the worker and not in the process that forked
    it. While the database is away rows wait; `lost` counts those for which there was no room, or
    which it would not take.
    """

    def __init__(self, store: Store | None, *, most_waiting: int = MOST_WAITING) -> None:
        self.lost = 0
        self._is_losing = False
        self._store = store
        self._queue: Queue[Row | None] = Queue(most_waiting)
        self._stopping = Event()
        self._hurry = Event()  # somebody waits: write what there is
        self._lock = Lock()
        self._thread: Thread | None = None
        self._at_exit: Finalize[None] | None = None

    @property
    def waiting(self) -> int:
        """How many rows are not taken up yet."""
        return self._queue.qsize()

    def put(self, row: Row) -> None:
        """Hand a row over; returns at once, whatever the database does."""
        if self._store is None:
            return
        if self._thread is None:
            self._start(self._store)
        try:
            self._queue.put_nowait(row)
        except Full:
            self._lose(1)

    def flush(self) -> None:
        """Wait until every row so far is written or lost."""
        if self._thread is not None:
            self._hurry.set()
            self._queue.join()
            self._hurry.clear()

    def close(self) -> None:
        """Write what waits, as far as it can be done within seconds, and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._at_exit is not None:
            self._at_exit.cancel()
        self._stopping.set()
        self._hurry.set()
        try:
            self._queue.put(None, timeout=_LAST_WORDS)
        except Full:
            pass
        thread.join(_LAST_WORDS)

    def _start(self, store: Store) -> None:
        with self._lock:
            if self._thread is None:
                self._stopping.clear()
                self._hurry.clear()
                self._thread = Thread(
                    target=self._run, args=(store,), name="store-writer", daemon=True
                )
                self._thread.start()
                # A worker ends as a process of multiprocessing does, where atexit is not heard.
                self._at_exit = Finalize(None, self.close, exitpriority=0)

    def _run(self, store: Store) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._batch()
            self._write(store, [row for row in batch if row is not None])
            for _ in batch:
                self._queue.task_done()

    def _batch(self) -> tuple[list[Row | None], bool]:
        batch = [self._queue.get()]
        if batch[0] is not None:
            self._hurry.wait(_GATHER)
        while len(batch) < _BATCH and batch[-1] is not None:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch, batch[-1] is None

    def _write(self, store: Store, rows: Sequence[Row]) -> None:
        """Write rows together; again and again while the database is away, until told to stop."""
        while rows:
            try:
                with store.writing() as connection:
                    _insert(connection, rows)
                self._is_losing = False
                return
            except StoreUnavailable:
                if self._stopping.wait(_PAUSE):
                    return self._lose(len(rows))
            except SQLAlchemyError as error:
                logger.error("rows refused by the store: %s", type(error).__name__)
                return self._lose(len(rows))

    def _lose(self, count: int) -> None:
        with self._lock:
            self.lost += count
            said, self._is_losing = self._is_losing, True
        if not said:  # once, not for every row
            logger.error("rows of hook calls are being lost")


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    calls = [members_of(row) for row in rows if isinstance(row, CallRow)]
    cards = [row for row in rows if isinstance(row, CardRow)]
    if calls:
        connection.execute(tables.call.insert(), calls)
    if cards:
        # A call that is repeated has the same cards: the first row of each stands.
        insert_new(connection, tables.card, [members_of(row) for row in cards])
        insert_new(connection, tables.card_rule, [rule for row in cards for rule in _rules(row)])
        count_answers(connection, [row.uuid for row in cards])
    set_back(connection, max(row.at for row in rows))


def _rules(row: CardRow) -> list[dict[str, Any]]:
    return [
        {"card_uuid": row.uuid, "rule": rule.id, "version": rule.version, "level": rule.level}
        for rule in row.rules
    ]
