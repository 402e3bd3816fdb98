"""The command line of the store, on a database of each kind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from commands import run

from cds_service.settings import Settings
from cds_service.store import (
    CardRow,
    FeedbackRow,
    RuleRow,
    Store,
    Writer,
    keep_feedback,
    open_store,
    tables,
)
from cds_service.store.pseudonyms import pseudonyms_of

_EMPTY = ("call", "call_hour", "used_token", "reader", "reader_session", "worker", "reload_request")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def _run(url: str, *arguments: str, fails: bool = False, **settings: str) -> Any:
    return run(*arguments, fails=fails, CDS_STORE_URL=url, **settings)


@pytest.fixture
def uuid(store: Store) -> str:
    """A card from long ago, with feedback."""
    uuid = str(uuid4())
    writer = Writer(store)
    writer.put(
        CardRow(
            uuid=uuid,
            at=LONG_AGO,
            service="toy",
            knowledge_version="1",
            patient_hash="p",
            user_hash="u",
            encounter_hash=None,
            slot="finding",
            indicator="warning",
            fingerprint="f",
            rules=(RuleRow("R30", "1.0.0", "warning"),),
            trace={
                "facts": {"present": ["potassium"], "missing": ["sodium"]},
                "nearMisses": {"R32": ["sodium"]},
                "values": {"potassium": "3.1"},
                "suppressedBy": "warning-overridden",
            },
        )
    )
    writer.close()
    keep_feedback(
        store, [FeedbackRow("d", uuid, "overridden", LONG_AGO, LONG_AGO, "data-wrong", comment="?")]
    )
    return uuid


def test_status_counts_and_prune_deletes_what_is_older_than_the_retention(
    store_url: str, uuid: str
) -> None:
    held = _run(store_url, "store", "status").output.splitlines()
    none = {f"{table}: 0" for table in _EMPTY}
    assert none | {"card: 1", "feedback: 1"} == set(held)
    kept = _run(store_url, "store", "prune", CDS_RETENTION_DAYS="36500").output
    assert "card: 0 deleted" in kept
    assert "card: 1 deleted\nfeedback: 1 deleted" in _run(store_url, "store", "prune").output
    held = _run(store_url, "store", "status").output.splitlines()
    assert {"card: 0", "feedback: 0"} < set(held)


def test_prune_takes_days(store_url: str, uuid: str) -> None:
    assert "card: 0" in _run(store_url, "store", "prune", "--days", "36000").output
    assert "card: 1" in _run(store_url, "store", "prune", "--days", "1").output
    _run(store_url, "store", "prune", "--days", "0", fails=True)


def test_migrate_says_that_the_schema_is_current(store_url: str) -> None:
    assert "current" in _run(store_url, "store", "migrate").output


def test_why_draws_what_is_kept_of_a_card(store_url: str, uuid: str) -> None:
    drawn = _run(store_url, "why", uuid).output
    for told in (
        "warning card in finding",
        "suppressed by: warning-overridden",
        "toy/R30 1.0.0: warning",
        "potassium = 3.1",
        "facts missing",
        "toy/R32: sodium",
        "data-wrong",
    ):
        assert told in drawn
    assert orjson.loads(_run(store_url, "why", uuid, "--json").stdout)["card"] == uuid


def test_why_of_a_card_that_is_not_known_ends_with_a_fault(store_url: str) -> None:
    assert "there is no card" in _run(store_url, "why", "nothing", fails=True).output


@pytest.mark.parametrize("command", [["store", "status"], ["store", "prune"], ["why", "x"]])
def test_without_a_store_or_with_one_that_is_away_it_says_so(command: list[str]) -> None:
    assert "CDS_STORE_URL: none" in _run("none", *command, fails=True).output
    away = "postgresql://postgres@127.0.0.1:1/nothing"
    assert "does not answer" in _run(away, *command, fails=True).output


def test_a_backup_is_a_whole_store_with_its_key_made_while_somebody_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/store.sqlite3"
    store = open_store(url)
    assert store is not None
    key = pseudonyms_of(Settings(store_url=url)).of("patient", "ada")
    keep_feedback(store, [FeedbackRow("d", "c", "overridden", LONG_AGO, LONG_AGO)])
    folder = tmp_path / "backup"
    with store.writing() as connection:  # not committed, so not in the copy
        connection.execute(tables.used_token.insert(), {"key": "a", "until": LONG_AGO})
        assert "copied to" in _run(url, "store", "backup", str(folder)).output
    store.close()
    assert {path.name for path in folder.iterdir()} == {"store.sqlite3", "hash-key"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    restored = f"sqlite:///{folder}/store.sqlite3"
    assert {"feedback: 1", "used_token: 0"} < set(
        _run(restored, "store", "status").output.splitlines()
    )
    assert pseudonyms_of(Settings(store_url=restored)).of("patient", "ada") == key
    assert "exists" in _run(url, "store", "backup", str(folder), fails=True).output


@pytest.mark.parametrize("url", ["none", "postgresql://postgres@127.0.0.1:1/nothing"])
def test_only_a_file_is_copied(url: str, tmp_path: Path) -> None:
    said = _run(url, "store", "backup", str(tmp_path / "new"), fails=True).output
    assert "pg_dump" in said and not (tmp_path / "new").exists()


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/store.sqlite3"
    said = _run(url, "store", "backup", str(tmp_path / "new"), fails=True).output
    assert "there is no file" in said and not (tmp_path / "new").exists()
