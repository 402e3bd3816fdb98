"""The writer behind hook calls: it takes every row, waits for nothing and counts what it loses."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import func, select, text

from cds_service.store import CallRow, CardRow, RuleRow, Store, Writer, open_store, tables

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def call_row(**members: Any) -> CallRow:
    whole: dict[str, Any] = {
        "at": NOW,
        "service": "toy",
        "hook": "patient-view",
        "hook_instance_hash": "f00",
        "knowledge_version": "1",
        "status": 200,
        "milliseconds": 1.5,
    }
    return CallRow(**whole | members)


def card_row(uuid: str = "c1", **members: Any) -> CardRow:
    whole: dict[str, Any] = {
        "uuid": uuid,
        "at": NOW,
        "service": "toy",
        "knowledge_version": "1",
        "patient_hash": "p",
        "user_hash": "u",
        "encounter_hash": None,
        "slot": "finding",
        "indicator": "warning",
        "fingerprint": "f",
        "rules": (RuleRow("R1", "1", "warning"), RuleRow("R2", "3", "info")),
        "trace": {"unknown": ["R9"]},
    }
    return CardRow(**whole | members)


def count(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_rows_are_stored_with_their_rules(store: Store) -> None:
    writer = Writer(store)
    writer.put(call_row(applied=("R1",), client="ehr"))
    writer.put(card_row())
    writer.close()
    with store.reading() as connection:
        call = connection.execute(select(tables.call)).one()
        card = connection.execute(select(tables.card)).one()
        hours = connection.execute(select(tables.call_hour)).all()
    assert (call.at, call.client, call.applied, call.milliseconds) == (NOW, "ehr", ["R1"], 1.5)
    assert card.trace == {"unknown": ["R9"]}
    assert card.rules[0] == {"id": "R1", "version": "1", "level": "warning"}
    assert card.counted == '[["R1","1"],["R2","3"]]'
    assert [tuple(each) for each in hours] == [
        (NOW.replace(minute=0), "patient-view", "ehr", 1, 0, 1, 0)
    ]


def test_calls_are_added_to_the_sums_of_their_hours(store: Store) -> None:
    writer = Writer(store)
    for _ in range(2):
        for cards, status in ((0, 200), (2, 200), (0, 412)):
            writer.put(call_row(cards=cards, status=status))
        writer.flush()  # what comes later is added
    writer.put(call_row(at=NOW + timedelta(hours=1)))
    writer.close()
    with store.reading() as connection:
        hours = connection.execute(select(tables.call_hour).order_by(tables.call_hour.c.hour)).all()
    first = NOW.replace(minute=0)
    assert [tuple(each) for each in hours] == [
        (first, "patient-view", "", 4, 2, 2, 4),
        (first + timedelta(hours=1), "patient-view", "", 1, 0, 1, 0),
    ]


def test_writers_that_add_to_the_same_hours_lose_nothing(store: Store) -> None:
    def write(_: int) -> None:
        writer = Writer(store)
        for number in range(200):
            writer.put(
                call_row(client=f"client {number % 5}", at=NOW + timedelta(hours=number % 3))
            )
            if number % 20 == 0:
                writer.flush()
        writer.close()
        assert writer.lost == 0

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with store.reading() as connection:
        counts = connection.execute(select(tables.call_hour.c.answered)).scalars().all()
    assert (len(counts), sum(counts)) == (15, 800)


def test_a_card_that_comes_again_is_kept_as_it_was_first(store: Store) -> None:
    writer = Writer(store)
    writer.put(card_row(state="shown"))
    writer.put(card_row(state="suppressed"))
    writer.close()
    with store.reading() as connection:
        assert connection.execute(select(tables.card.c.state)).scalars().all() == ["shown"]


def test_many_threads_put_and_every_row_arrives(store: Store) -> None:
    writer = Writer(store)
    threads = [
        Thread(target=lambda: [writer.put(call_row()) for _ in range(250)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert (count(store, tables.call), writer.lost) == (2000, 0)


def test_a_full_queue_loses_rows_at_once_and_counts_them() -> None:
    gone = open_store("postgresql://postgres@127.0.0.1:1/nothing")
    writer = Writer(gone, most_waiting=10)
    started = time.perf_counter()
    for _ in range(100):
        writer.put(call_row())
    assert time.perf_counter() - started < 5  # it waits for nothing; a connection is given longer
    assert 80 <= writer.lost <= 90
    writer.close()
    assert writer.lost == 100


def test_rows_wait_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A table that is away stands for the database; the real thing is done to PostgreSQL where a
    # whole server is killed.
    monkeypatch.setattr("cds_service.store.writer._PAUSE", 0.05)
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    assert store is not None
    writer = Writer(store)
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE call RENAME TO elsewhere"))
    writer.put(call_row())
    time.sleep(0.2)
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO call"))
    writer.flush()
    writer.close()
    assert (count(store, tables.call), writer.lost) == (1, 0)
    store.close()


def test_a_row_that_the_database_refuses_is_lost_and_does_not_stop_the_others(
    store: Store,
) -> None:
    writer = Writer(store)
    writer.put(call_row(service=None))
    writer.flush()
    writer.put(call_row())
    writer.close()
    assert (count(store, tables.call), writer.lost) == (1, 1)


def test_without_a_store_rows_go_nowhere() -> None:
    writer = Writer(None)
    writer.put(call_row())
    writer.flush()
    writer.close()
    assert writer.lost == 0


def test_it_can_be_used_again_after_it_was_closed(store: Store) -> None:
    writer = Writer(store)
    writer.put(call_row())
    writer.close()
    writer.put(call_row())
    writer.close()
    assert count(store, tables.call) == 2


def test_a_process_that_ends_has_written_what_it_was_given(store: Store, store_url: str) -> None:
    script = """
import sys
from datetime import UTC, datetime
from cds_service.store import CallRow, Writer, open_store
writer = Writer(open_store(sys.argv[1]))
for _ in range(1000):
    writer.put(CallRow(datetime.now(UTC), "toy", "patient-view", "f00", "1", 200, 1.5))
"""
    subprocess.run([sys.executable, "-c", script, store_url], check=True, timeout=60)
    assert count(store, tables.call) == 1000
