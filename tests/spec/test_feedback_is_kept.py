"""CDS Hooks, chapter "Feedback": what was answered with 204 is in the store, once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import NOW, TOY, ToyKnowledge, assert_outcome, feedback
from flask.testing import FlaskClient
from sqlalchemy import select, text

from cds_service import create_app
from cds_service.settings import Settings
from cds_service.store import Store, counts, prune, tables
from cds_service.web.collaborators import EXTENSION

ADDRESS = f"{TOY}/feedback"
KEY = "k" * 32
REASON = {"code": "seen", "system": "https://codes.example.org", "display": "Seen"}
ACCEPTED = feedback(outcome="accepted", acceptedSuggestions=[{"id": "a"}, {"id": "b"}])


@pytest.fixture
def keeping(store_url: str, store: Store, knowledge: ToyKnowledge) -> Iterator[FlaskClient]:
    settings = Settings(store_url=store_url, hash_key=KEY)
    app = create_app(settings, knowledge, clock=lambda: NOW)
    yield app.test_client()
    app.extensions["cds_service"].memory.store.close()


def _post(client: FlaskClient, *entries: dict[str, Any]) -> int:
    return client.post(ADDRESS, json={"feedback": list(entries)}).status_code


def _kept(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(tables.feedback)).all())


def test_f_1_an_overridden_card_is_kept_with_its_reason(keeping: FlaskClient, store: Store) -> None:
    override = {"reason": REASON, "userComment": "he knows"}
    assert _post(keeping, feedback(overrideReason=override)) == 204
    (row,) = _kept(store)
    assert row.card_uuid == feedback()["card"]
    assert (row.outcome, row.outcome_timestamp, row.received_at) == ("overridden", NOW, NOW)
    assert (row.reason_code, row.reason_system, row.reason_display) == tuple(REASON.values())
    assert (row.comment, row.accepted) == ("he knows", [])


def test_f_1_accepted_suggestions_are_kept(keeping: FlaskClient, store: Store) -> None:
    assert _post(keeping, ACCEPTED) == 204
    assert [(row.outcome, row.accepted) for row in _kept(store)] == [("accepted", ["a", "b"])]


@pytest.mark.parametrize("reason", [{"code": "seen"}, {"code": "seen", "display": "Seen"}])
def test_f_2_a_reason_without_system_or_display_is_kept(
    keeping: FlaskClient, store: Store, reason: dict[str, str]
) -> None:
    assert _post(keeping, feedback(overrideReason={"reason": reason})) == 204
    (row,) = _kept(store)
    assert (row.reason_code, row.reason_system) == ("seen", None)
    assert row.reason_display == reason.get("display")


def test_f_3_unknown_cards_are_kept_and_can_be_told_apart(
    keeping: FlaskClient, store: Store
) -> None:
    assert _post(keeping, feedback(card="?"), feedback(card="x" * 5000)) == 204
    with store.reading() as connection:
        unknown = select(tables.feedback.c.card_uuid).outerjoin(
            tables.card, tables.card.c.uuid == tables.feedback.c.card_uuid
        )
        found = connection.execute(unknown.where(tables.card.c.uuid.is_(None))).scalars()
        assert sorted(map(len, found)) == [1, 255]


def test_an_entry_that_is_repeated_is_kept_once(keeping: FlaskClient, store: Store) -> None:
    same = feedback(outcomeTimestamp="2026-11-22T10:30:00+01:00")
    assert _post(keeping, feedback(), feedback(), same) == 204
    assert _post(keeping, feedback()) == 204
    assert len(_kept(store)) == 1


@pytest.mark.parametrize(
    "other",
    [
        feedback(card="another"),
        feedback(outcomeTimestamp="2026-11-22T09:30:01Z"),
        feedback(overrideReason={"reason": REASON}),
        ACCEPTED,
    ],
)
def test_an_entry_that_differs_is_kept_as_well(
    keeping: FlaskClient, store: Store, other: dict[str, Any]
) -> None:
    assert _post(keeping, feedback(), other) == 204
    assert len(_kept(store)) == 2


def test_long_texts_are_cut_and_odd_characters_taken(keeping: FlaskClient, store: Store) -> None:
    override = {"reason": {"code": "c" * 999, "display": "\0d"}, "userComment": "\0é😀" * 2000}
    assert _post(keeping, feedback(overrideReason=override)) == 204
    (row,) = _kept(store)
    assert (len(row.comment), len(row.reason_code), row.reason_display) == (1000, 255, "d")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_f_5_a_time_beyond_the_calendar_is_400(keeping: FlaskClient, moment: str) -> None:
    response = keeping.post(ADDRESS, json={"feedback": [feedback(outcomeTimestamp=moment)]})
    assert_outcome(response, 400, "feedback[0].outcomeTimestamp")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_time_are_kept(
    keeping: FlaskClient, store: Store, moment: str
) -> None:
    assert _post(keeping, feedback(outcomeTimestamp=moment)) == 204
    assert _kept(store)[0].outcome_timestamp == datetime.fromisoformat(moment)


def test_of_a_body_with_a_fault_nothing_is_kept(keeping: FlaskClient, store: Store) -> None:
    assert _post(keeping, feedback(), feedback(outcome="ignored")) == 400
    assert _kept(store) == []


def test_a_store_that_is_down_is_503_and_tells_when_to_come_again(
    knowledge: ToyKnowledge, caplog: pytest.LogCaptureFixture
) -> None:
    down = Settings(store_url="postgresql://postgres@127.0.0.1:1/nothing", hash_key=KEY)
    client = create_app(down, knowledge, clock=lambda: NOW).test_client()
    with caplog.at_level(logging.INFO, logger="cds_service"):
        comment = feedback(overrideReason={"userComment": "Ada knows"})
        response = client.post(ADDRESS, json={"feedback": [comment]})
    assert_outcome(response, 503)
    assert response.headers["Retry-After"] == "5"
    assert "Ada" not in caplog.text
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.get_json()["checks"]["store"]) == (200, "failed")


def test_a_statement_that_fails_is_500_and_says_nothing_of_the_comment(
    keeping: FlaskClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE feedback RENAME TO elsewhere"))
    with caplog.at_level(logging.INFO, logger="cds_service"):
        comment = feedback(overrideReason={"userComment": "Ada knows"})
        response = keeping.post(ADDRESS, json={"feedback": [comment]})
    assert response.status_code in (500, 503)
    assert "Ada" not in caplog.text and "Ada" not in response.text


def test_what_is_older_than_the_retention_is_pruned(keeping: FlaskClient, store: Store) -> None:
    assert _post(keeping, feedback()) == 204
    keeping.application.extensions[EXTENSION].memory.writer.flush()
    until = NOW - timedelta(seconds=1)
    with store.writing() as connection:
        connection.execute(tables.used_token.insert(), {"key": "a", "until": until})
    others = ("call", "call_hour", "card", "feedback", "reader_session", "reload_request", "worker")
    none = dict.fromkeys(others, 0)
    assert prune(store, before=NOW, now=until) == none | {"used_token": 0}
    later = NOW + timedelta(hours=1)  # the hour of the call is over
    deleted = prune(store, before=later, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert deleted == none | {"call": 1, "call_hour": 1, "feedback": 1, "used_token": 1}
    assert set(counts(store).values()) == {0}
