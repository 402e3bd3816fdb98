"""Writes the rows of calls in the background: no call waits for it or fails because of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from multiprocessing.util import Finalize
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.answers import count_answers, set_back, take_turns
from cds_service.store.database import Store
from cds_service.store.insertion import insert_new
from cds_service.store.sums import add_calls, counted
from cds_service.store.tables import CallRow, CardRow, members_of

Row = CallRow | CardRow

MOST_WAITING = 10_000
_BATCH = 500
_GATHER = 0.5  # seconds to wait for more rows: a transaction costs as much for one row as for ten
_PAUSE = 1.0  # seconds before a database that did not answer is tried again
_LAST_WORDS = 5.0  # seconds that a stopping process spends on waiting rows

logger = logging.getLogger(__name__)


class Writer:
    """A queue, and one thread that writes it to `store`; without a store, rows are dropped.

    The thread starts with the first row, so in the worker, not in the process that forked it. Rows
    wait while the database is down; `lost` counts rows that found no room or that the database
    refused.
    """

    def __init__(self, store: Store | None, *, most_waiting: int = MOST_WAITING) -> None:
        self.lost = 0
        self._is_losing = False
        self._store = store
        self._queue: Queue[Row | None] = Queue(most_waiting)
        self._stopping = Event()
        self._hurry = Event()  # a caller is waiting: write now
        self._lock = Lock()
        self._thread: Thread | None = None
        self._at_exit: Finalize[None] | None = None

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return self._queue.qsize()

    def put(self, row: Row) -> None:
        """Queue a row; returns at once."""
        if self._store is None:
            return
        if self._thread is None:
            self._start(self._store)
        try:
            self._queue.put_nowait(row)
        except Full:
            self._lose(1)

    def flush(self) -> None:
        """Wait until all queued rows are written or lost."""
        if self._thread is not None:
            self._hurry.set()
            self._queue.join()
            self._hurry.clear()

    def close(self) -> None:
        """Write the waiting rows, for some seconds at most, and stop the thread."""
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
                # A worker ends like a multiprocessing process, which does not run atexit.
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
        """Write rows in one transaction; repeats while the database is down, until told to stop."""
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
                logger.error("the store refused rows: %s", type(error).__name__)
                return self._lose(len(rows))

    def _lose(self, count: int) -> None:
        with self._lock:
            self.lost += count
            was_losing, self._is_losing = self._is_losing, True
        if not was_losing:  # logged once, not for every row
            logger.error("rows of calls are being lost")


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    calls = [row for row in rows if isinstance(row, CallRow)]
    cards = [row for row in rows if isinstance(row, CardRow)]
    if calls:
        connection.execute(tables.call.insert(), [members_of(row) for row in calls])
        add_calls(connection, calls)
    if cards:
        take_turns(connection)
        # A repeated call has the same cards: the first row of each card is kept.
        insert_new(
            connection, tables.card, [members_of(row) | {"counted": counted(row)} for row in cards]
        )
        count_answers(connection, [row.uuid for row in cards])
    set_back(connection, max(row.at for row in rows))
