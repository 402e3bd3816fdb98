"""Opening a store: where it is, who may start at once, what it says when it is gone."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from processes import at_once
from sqlalchemy import bindparam, event, select, text

from cds_service.errors import SettingsError, StoreUnavailable
from cds_service.store import Store, can_write, open_store, schema, tables
from cds_service.store.address import folder_of


def test_none_is_no_store() -> None:
    assert open_store("none") is None


def test_without_an_address_it_is_sqlite_in_the_folder_of_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store = open_store("embedded")
    assert store is not None and can_write(store)
    store.close()
    folder = tmp_path / "anxiety-cds-service"
    assert (folder / "store.sqlite3").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_several_workers_may_start_at_once(empty_url: str) -> None:
    # What a first start imports late is imported before they start.
    imports = "from alembic import command\nfrom cds_service.store import open_store"
    at_once(imports, f"open_store({empty_url!r})")


def test_sqlite_is_set_up_so_that_nothing_committed_is_lost(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    assert store is not None
    with store.reading() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    store.close()
    assert found == ["wal", 2, 1, 2500]


def test_a_time_comes_back_as_it_was_and_one_without_a_zone_is_refused(store: Store) -> None:
    there = datetime(2026, 11, 22, 10, 30, 0, 123456, tzinfo=UTC)
    with store.writing() as connection:
        connection.execute(tables.used_token.insert(), {"key": "a", "until": there})
    with store.reading() as connection:
        query = select(tables.used_token.c.until).where(
            tables.used_token.c.until >= there, tables.used_token.c.until < there + timedelta(1)
        )
        assert connection.execute(query).scalar() == there
    with pytest.raises(Exception, match="without a zone"), store.writing() as connection:
        connection.execute(
            tables.used_token.insert(), {"key": "b", "until": there.replace(tzinfo=None)}
        )


def test_what_a_failed_block_wrote_is_not_there(store: Store) -> None:
    with pytest.raises(LookupError), store.writing() as connection:
        until = datetime(2026, 11, 22, tzinfo=UTC)
        connection.execute(tables.used_token.insert(), {"key": "a", "until": until})
        raise LookupError
    with store.reading() as connection:
        assert connection.execute(select(tables.used_token)).all() == []


def test_reading_does_not_wait_for_writing(store: Store) -> None:
    with store.writing() as writing, store.reading() as reading:
        until = datetime(2026, 11, 22, tzinfo=UTC)
        writing.execute(tables.used_token.insert(), {"key": "a", "until": until})
        assert reading.execute(select(tables.used_token)).all() == []


def test_a_server_that_is_not_there_does_not_stop_the_start_and_rests() -> None:
    store = open_store("postgresql://postgres@127.0.0.1:1/nothing")
    assert store is not None
    assert not can_write(store)
    with pytest.raises(StoreUnavailable), store.writing():
        pytest.fail("it wrote")
    assert store.is_resting
    with pytest.raises(StoreUnavailable), store.reading():
        pytest.fail("it read")


def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_text("Dear diary, " * 100)
    with pytest.raises(SettingsError, match="CDS_STORE_URL: .*cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/store.sqlite3")


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="CDS_STORE_URL: .*cannot be made"):
        folder_of(f"sqlite:///{tmp_path}/file/folder/store.sqlite3")


# -- migrations ----------------------------------------------------------------------------------


def _tables(store: Store) -> set[str]:
    from sqlalchemy import inspect

    return set(inspect(store.engine).get_table_names()) - {"alembic_version"}


def test_the_newest_version_is_the_one_that_the_code_names() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == schema.HEAD


_FIRST_RELEASE = "0008"


def test_after_the_first_release_a_migration_only_adds() -> None:
    """So that replicas of two releases share one schema: docs/operations.md, "Upgrading"."""
    for path in (Path(schema.__file__).parent / "migrations" / "versions").glob("v*.py"):
        upgrade = path.read_text(encoding="utf-8").partition("def upgrade")[2]
        upgrade = upgrade.partition("def downgrade")[0]
        takes_away = re.findall(r"op\.(?:drop|rename)_\w+|alter_column", upgrade)
        assert not takes_away or path.name[1:5] <= _FIRST_RELEASE, path.name


def test_migrations_lead_from_nothing_to_the_tables_of_the_code(empty_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = open_store(empty_url)
    assert store is not None
    with store.reading() as connection:
        assert schema.version(connection) == schema.HEAD
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    store.close()


def test_migrations_lead_down_and_up_again_and_keep_what_is_older(store: Store) -> None:
    until = datetime(2026, 11, 22, tzinfo=UTC)
    with store.writing() as connection:
        connection.execute(tables.used_token.insert(), {"key": "a", "until": until})
    schema.downgrade(store.engine, "0001")
    assert _tables(store) == {"call", "used_token"}
    schema.upgrade(store.engine)
    assert _tables(store) == set(tables.metadata.tables)
    with store.reading() as connection:
        assert connection.execute(select(tables.used_token.c.key)).scalar() == "a"
    schema.downgrade(store.engine, "base")
    assert _tables(store) == set()
    schema.upgrade(store.engine)
    assert _tables(store) == set(tables.metadata.tables)


def test_an_older_database_is_brought_up_to_date_when_it_is_opened(store_url: str) -> None:
    older = open_store(store_url)
    assert older is not None
    schema.downgrade(older.engine, "0001")
    older.close()
    newer = open_store(store_url)
    assert newer is not None
    assert _tables(newer) == set(tables.metadata.tables)
    newer.close()


def test_what_was_answered_before_stands_on_its_card_after_the_upgrade(store: Store) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    store.migrate()
    schema.downgrade(store.engine, "0002")
    with store.writing() as connection:
        for uuid in ("answered", "ignored"):
            connection.execute(
                text(
                    "INSERT INTO card (uuid, at, service, knowledge_version, patient_hash,"
                    " user_hash, slot, indicator, fingerprint, state, rules, trace) VALUES"
                    " (:uuid, :at, 's', '1', 'p', 'u', 'finding', 'warning', 'f', 'shown',"
                    " '[]', '{}')"
                ).bindparams(bindparam("at", type_=tables.Instant)),
                {"uuid": uuid, "at": at},
            )
        for number, outcome in enumerate(("overridden", "accepted")):
            connection.execute(
                text(
                    "INSERT INTO feedback (digest, card_uuid, outcome, outcome_timestamp,"
                    " received_at, reason_code, accepted) VALUES"
                    " (:digest, 'answered', :outcome, :at, :at, :outcome, '[]')"
                ).bindparams(bindparam("at", type_=tables.Instant)),
                {"digest": outcome, "outcome": outcome, "at": at + timedelta(hours=number)},
            )
    schema.upgrade(store.engine)
    columns = tables.card.c
    query = select(columns.answered_at, columns.outcome, columns.reason_code, columns.client_hash)
    with store.reading() as connection:
        found = connection.execute(query.order_by(columns.uuid)).all()
    assert [tuple(row) for row in found] == [
        (at, "overridden", "overridden", None),
        (None, None, None, None),
    ]


def test_calls_and_cards_of_before_are_counted_after_the_upgrade(store: Store) -> None:
    at = datetime(2026, 11, 22, 9, 59, 59, tzinfo=UTC)
    store.migrate()
    schema.downgrade(store.engine, "0007")
    call = (
        "INSERT INTO call (at, client, service, hook, hook_instance_hash, knowledge_version,"
        " status, mode, cards, applied, unknown, suppressed, missing, milliseconds) VALUES"
        " (:at, :client, 's', 'patient-view', 'h', '1', :status, 'live', :cards, '[]', '[]', '[]',"
        " '[]', 1)"
    )
    card = (
        "INSERT INTO card (uuid, at, service, knowledge_version, patient_hash, user_hash, slot,"
        " indicator, fingerprint, state, rules, trace) VALUES (:uuid, :at, 's', '1', 'p', 'u', 'd',"
        " :indicator, 'f', 'shown', :rules, '{}')"
    )
    rules = json.dumps(
        [
            {"id": "R20", "version": "1.0.0", "level": "critical"},
            {"id": "R28", "version": "1.1.0", "level": "info"},
        ]
    )
    with store.writing() as connection:
        for client, status, cards in (("ehr", 200, 0), ("ehr", 200, 2), (None, 412, 0)):
            values = {"at": at, "client": client, "status": status, "cards": cards}
            statement = text(call).bindparams(bindparam("at", type_=tables.Instant))
            connection.execute(statement, values)
        for uuid in ("info", "critical"):
            values = {"uuid": uuid, "at": at, "indicator": uuid, "rules": rules}
            statement = text(card).bindparams(bindparam("at", type_=tables.Instant))
            connection.execute(statement, values)
    schema.upgrade(store.engine)
    hours = select(tables.call_hour).order_by(tables.call_hour.c.client)
    counted = select(tables.card.c.uuid, tables.card.c.counted).order_by(tables.card.c.uuid)
    with store.reading() as connection:
        assert [tuple(row) for row in connection.execute(hours)] == [
            (at.replace(minute=0, second=0), "patient-view", "", 0, 1, 0, 0),
            (at.replace(minute=0, second=0), "patient-view", "ehr", 2, 0, 1, 2),
        ]
        assert [tuple(row) for row in connection.execute(counted)] == [
            ("critical", '[["R20","1.0.0"],["R28","1.1.0"]]'),
            ("info", '[["R28","1.1.0"]]'),
        ]
    schema.downgrade(store.engine, "0007")
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM card_rule")).scalar() == 4
    schema.upgrade(store.engine)


def test_a_store_that_can_be_read_and_not_written_is_not_ready(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    assert store is not None and can_write(store)
    store.close()
    # As on a full disk: what is there can be read.
    event.listen(store.engine, "connect", lambda new, _: new.execute("PRAGMA query_only = ON"))
    with store.reading() as connection:
        assert connection.execute(select(tables.used_token)).all()
    assert not can_write(store)
    store.close()


def test_a_lock_refuses_one_call_and_not_the_next(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    assert store is not None
    with sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert not can_write(store)
        assert 2 < time.monotonic() - began < 10
        other.execute("ROLLBACK")
    other.close()
    assert not store.has_just_failed and can_write(store)
    store.close()
