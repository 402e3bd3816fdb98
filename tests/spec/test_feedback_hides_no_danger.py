"""Feedback is input from outside, and it silences: what it must not be able to do, row by row."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from builders import assert_outcome, feedback
from hospitals import (
    ADDRESS,
    ADDRESSED,
    BORIS,
    GRACE,
    HASH_KEY,
    OTHER_EHR,
    SHARED_USER,
    Hospital,
    critical,
    lines,
)
from sqlalchemy import func, select

from cds_service.knowledge import Knowledge
from cds_service.store import tables

POTASSIUM, IDEATION = "samuel-potassium-2-3", "silvia-ideation-and-potassium"
LORAZEPAM, ANXIETY = "dorothy-lorazepam-nine-months", "ada-generalised-anxiety"


@pytest.fixture
def hospital(store_url: str, cards: Knowledge, tmp_path: Path) -> Iterator[Hospital]:
    hospital = Hospital(tmp_path, store_url, cards)
    yield hospital
    hospital.close()


def _summaries(cards: list[dict[str, Any]]) -> list[str]:
    return [card["summary"] for card in cards]


def _warnings(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [card for card in cards if card["indicator"] == "warning"]


# -- the card's uuid can be computed by anybody --------------------------------------------------


def test_nobody_can_compute_the_uuid_of_a_card(
    hospital: Hospital, cards: Knowledge, tmp_path: Path
) -> None:
    instance = str(uuid4())
    [card] = critical(hospital.open(GRACE, POTASSIUM, instance=instance))
    patient = hospital.chart(POTASSIUM)["context"]["patientId"]
    rules = card["detail"].rpartition("· ")[2]
    public = uuid5(NAMESPACE_URL, "urn:cds-service:cards")
    assert card["uuid"] != str(uuid5(public, f"{instance} {patient} finding {rules}"))
    assert UUID(card["uuid"]).version == 4
    elsewhere = Hospital(tmp_path, f"sqlite:///{tmp_path}/b", cards)
    other_key = Hospital(
        tmp_path, f"sqlite:///{tmp_path}/c", cards, settings={"CDS_HASH_KEY": HASH_KEY[1:] + "xy"}
    )
    assert critical(elsewhere.open(GRACE, POTASSIUM, instance=instance)) == [card]
    assert critical(other_key.open(GRACE, POTASSIUM, instance=instance)) != [card]
    elsewhere.close()
    other_key.close()


def test_a_call_that_is_repeated_has_the_same_uuids_and_no_other_call_has(
    hospital: Hospital,
) -> None:
    instance = str(uuid4())
    first = hospital.open(GRACE, IDEATION, instance=instance)
    assert hospital.open(GRACE, IDEATION, instance=instance) == first
    seen = {card["uuid"] for card in first}
    for chair in (
        BORIS,
        GRACE.moved(client=OTHER_EHR),
        GRACE.moved(tenant="north"),
        GRACE.moved(server="https://fhir.example.org/r4"),
        GRACE.moved(encounter="e1"),
    ):
        again = {card["uuid"] for card in hospital.open(chair, IDEATION, instance=instance)}
        assert not seen & again
        seen |= again


def test_feedback_sent_before_the_call_silences_nothing(
    hospital: Hospital, cards: Knowledge, tmp_path: Path
) -> None:
    instance = str(uuid4())
    # A service under the same key gives the uuids away, which is more than anybody can know.
    oracle = Hospital(tmp_path, f"sqlite:///{tmp_path}/oracle", cards)
    [card] = critical(oracle.open(GRACE, POTASSIUM, instance=instance))
    oracle.close()
    hospital.answer(GRACE, card["uuid"])
    hospital.wait(seconds=1)
    for _ in range(3):
        assert critical(hospital.open(GRACE, POTASSIUM, instance=instance)) == [card]
        assert critical(hospital.open(GRACE, POTASSIUM))


def test_feedback_for_a_card_that_was_not_sent_is_kept_apart(hospital: Hospital) -> None:
    hospital.answer(GRACE, str(uuid4()))
    assert critical(hospital.open(GRACE, POTASSIUM))
    with hospital.memory.store.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(tables.feedback)).scalar_one()
        counted = select(func.count()).where(tables.card.c.answered_at.is_not(None))
        assert (kept, connection.execute(counted).scalar_one()) == (1, 0)


def test_an_answer_that_is_quicker_than_our_own_writing_counts(hospital: Hospital) -> None:
    flush: Callable[[], None] = hospital.memory.writer.flush
    hospital.memory.writer.flush = lambda: None
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    flush()
    hospital.memory.writer.flush = flush
    assert lines(hospital.open(GRACE, POTASSIUM))


# -- the same answer sent again each day ---------------------------------------------------------


def test_the_same_answer_sent_again_each_day_changes_nothing(hospital: Hospital) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    assert not critical(hospital.open(GRACE, POTASSIUM))
    for _ in range(10):
        hospital.wait(hours=23)
        hospital.answer(GRACE, card["uuid"])
        hospital.wait(hours=1, seconds=1)
        hospital.answer(GRACE, card["uuid"])
        assert critical(hospital.open(GRACE, POTASSIUM))


def test_the_first_answer_to_a_card_counts_and_no_other_does(hospital: Hospital) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"], "need-more-info")
    hospital.wait(seconds=1)
    hospital.answer(GRACE, card["uuid"], ADDRESSED)
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"], ADDRESSED)
    hospital.answer(GRACE, card["uuid"], "need-more-info")
    assert lines(hospital.open(GRACE, POTASSIUM))


# -- the same patient id elsewhere; another client -----------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"server": "https://test.example.org/r4"},
        {"server": None},
        {"tenant": "north"},
        {"client": OTHER_EHR},
    ],
)
@pytest.mark.parametrize("name", [POTASSIUM, LORAZEPAM, ANXIETY])
def test_feedback_in_the_test_system_silences_nothing_in_production(
    hospital: Hospital, name: str, elsewhere: dict[str, Any]
) -> None:
    production = GRACE.moved(server="https://fhir.example.org/r4", tenant="south", encounter="e1")
    test = production.moved(**elsewhere)
    before = _summaries(hospital.open(production, name))
    for card in hospital.open(test, name):
        hospital.answer(test, card["uuid"])
    assert _summaries(hospital.open(test, name)) != before
    assert _summaries(hospital.open(production, name)) == before


def test_a_slash_at_the_end_makes_no_other_server(hospital: Hospital) -> None:
    chair = GRACE.moved(server="https://fhir.example.org/r4")
    [card] = critical(hospital.open(chair, POTASSIUM))
    hospital.answer(chair, card["uuid"])
    assert lines(hospital.open(chair.moved(server="https://fhir.example.org/r4/"), POTASSIUM))


@pytest.mark.parametrize("stranger", [{"client": OTHER_EHR}, {"tenant": "north"}])
def test_another_client_cannot_answer_a_card_nor_take_the_answer_away(
    hospital: Hospital, stranger: dict[str, Any]
) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE.moved(**stranger), card["uuid"])
    assert critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    assert lines(hospital.open(GRACE, POTASSIUM))


@pytest.mark.parametrize("tenant", [7, ["north"], {"north": 1}, True])
def test_a_tenant_that_is_no_text_is_refused(hospital: Hospital, tenant: Any) -> None:
    response = hospital.post(GRACE.moved(tenant=tenant), ADDRESS, hospital.chart(POTASSIUM))
    assert_outcome(response, 401)


# -- a reason code of any text and any system ----------------------------------------------------


@pytest.mark.parametrize(
    "reason",
    [
        {"code": "because"},
        {"code": "limited-time"},  # of another card
        {"code": "risk-benefit-ratio", "system": "https://codes.example.org"},
        {"code": "Risk-benefit-ratio"},
    ],
)
def test_a_reason_that_did_not_stand_on_the_card_is_no_reason(
    hospital: Hospital, reason: dict[str, str]
) -> None:
    [card] = _warnings(hospital.open(GRACE, LORAZEPAM))
    hospital.answer(GRACE, card["uuid"], None, overrideReason={"reason": reason})
    for chair in (GRACE, BORIS):
        assert _summaries(_warnings(hospital.open(chair, LORAZEPAM))) == [card["summary"]]


@pytest.mark.parametrize("with_system", [True, False])
def test_a_reason_that_stood_on_the_card_is_one_with_and_without_its_system(
    hospital: Hospital, with_system: bool
) -> None:
    [card] = _warnings(hospital.open(GRACE, LORAZEPAM))
    [reason] = [each for each in card["overrideReasons"] if each["code"] == "risk-benefit-ratio"]
    sent = reason if with_system else {"code": reason["code"]}
    hospital.answer(GRACE, card["uuid"], None, overrideReason={"reason": sent})
    assert not _warnings(hospital.open(BORIS, LORAZEPAM))


# -- a critical card answered "being addressed" by one user --------------------------------------


@pytest.mark.parametrize("name, number", [(POTASSIUM, 1), (IDEATION, 2)])
def test_a_critical_card_never_disappears(hospital: Hospital, name: str, number: int) -> None:
    grace, boris = GRACE.moved(encounter="e1"), BORIS.moved(encounter="e1")
    before = hospital.open(grace, name)
    assert len(critical(before)) == number
    for card in critical(before):
        hospital.answer(grace, card["uuid"])
    hospital.wait(hours=5)
    cards = hospital.open(grace, name)
    assert critical(cards) == []
    for card, line in zip(critical(before), lines(cards), strict=True):
        assert line["indicator"] == "info"
        start = "Being addressed since 12:00 UTC: "
        assert line["summary"].startswith(start + card["summary"][:20])
        assert len(line["summary"]) < 140 and "\n" not in line["summary"]
        assert not {"overrideReasons", "suggestions"} & line.keys()
    for chair in (boris, BORIS, boris.moved(encounter="e2")):
        assert _summaries(hospital.open(chair, name)) == _summaries(before)
    hospital.wait(hours=19)
    assert critical(hospital.open(grace, name)) == []
    hospital.wait(seconds=1)
    assert _summaries(hospital.open(grace, name)) == _summaries(before)


def test_of_two_critical_cards_the_one_that_was_answered_becomes_a_line(hospital: Hospital) -> None:
    first, second = critical(hospital.open(GRACE, IDEATION))
    hospital.answer(GRACE, second["uuid"])
    cards = hospital.open(GRACE, IDEATION)
    assert _summaries(critical(cards)) == [first["summary"]]
    assert len(lines(cards)) == 1


@pytest.mark.parametrize(
    "language, start",
    [
        ("en", "Being addressed since 12:00 UTC: "),
        ("es", "En curso desde las 12:00 UTC: "),
        ("zh-Hans", "自 12:00 UTC 起正在处理："),
    ],
)
def test_the_line_is_said_in_every_language(hospital: Hospital, language: str, start: str) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    [line] = hospital.open(GRACE, POTASSIUM, **{"Accept-Language": language})
    assert line["summary"].startswith(start)


def test_a_line_can_be_explained_and_answering_it_changes_nothing(hospital: Hospital) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    hospital.wait(hours=23)
    [line] = hospital.open(GRACE, POTASSIUM)
    hospital.answer(GRACE, line["uuid"])
    hospital.wait(hours=1, seconds=1)
    assert critical(hospital.open(GRACE, POTASSIUM))


# -- the service's clock was ahead when the answer came ------------------------------------------


@pytest.mark.parametrize("patients_clock", ["ours", "right"])
def test_an_answer_from_the_future_counts_at_most_its_time_from_now_on(
    hospital: Hospital, patients_clock: str, caplog: pytest.LogCaptureFixture
) -> None:
    right = hospital.now
    hospital.wait(days=25)
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    at = right if patients_clock == "right" else hospital.now
    hospital.answer(GRACE, card["uuid"], outcomeTimestamp=at.isoformat())
    hospital.now = right
    with caplog.at_level(logging.WARNING, logger="cds_service"):
        hospital.open(GRACE, POTASSIUM)
        hospital.open(GRACE, ANXIETY)
    assert ("the clock was set back" in caplog.text) is (patients_clock == "ours")
    hospital.now = right + timedelta(hours=24, seconds=1)
    assert critical(hospital.open(GRACE, POTASSIUM))
    hospital.now = right + timedelta(days=25)
    assert critical(hospital.open(GRACE, POTASSIUM))


def test_an_answer_that_says_it_is_from_next_year_does_not_hold_for_longer(
    hospital: Hospital,
) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"], outcomeTimestamp="2099-01-01T00:00:00Z")
    assert lines(hospital.open(GRACE, POTASSIUM))
    hospital.wait(hours=24, seconds=1)
    assert critical(hospital.open(GRACE, POTASSIUM))


# -- one user id for a whole system account ------------------------------------------------------


@pytest.mark.parametrize("name", [POTASSIUM, IDEATION, LORAZEPAM])
def test_for_a_user_id_that_many_share_nothing_critical_or_warning_is_silenced(
    hospital: Hospital, name: str
) -> None:
    shared = GRACE.moved(user=SHARED_USER)
    before = hospital.open(shared, name)
    dangers = _summaries([card for card in before if card["indicator"] != "info"])
    assert dangers
    for card in before:
        hospital.answer(shared, card["uuid"])
    for chair in (shared, GRACE):
        cards = hospital.open(chair, name)
        assert _summaries([card for card in cards if card["indicator"] != "info"]) == dangers
    for card in hospital.open(GRACE, name):
        hospital.answer(GRACE, card["uuid"])
    again = hospital.open(shared, name)
    assert _summaries([card for card in again if card["indicator"] != "info"]) == dangers


def test_the_information_of_a_shared_user_may_stay_away(hospital: Hospital) -> None:
    shared = GRACE.moved(user=SHARED_USER)
    [card] = hospital.open(shared, ANXIETY)
    hospital.answer(shared, card["uuid"])
    assert hospital.open(shared, ANXIETY) == []


# -- where anybody can call ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [POTASSIUM, IDEATION])
@pytest.mark.parametrize("allowed", [True, False])
def test_where_nobody_is_asked_critical_cards_stay_unless_a_setting_says_otherwise(
    cards: Knowledge, tmp_path: Path, name: str, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    settings = {"CDS_ANONYMOUS_ANSWERS": str(allowed).lower()}
    with caplog.at_level(logging.WARNING, logger="cds_service"):
        hospital = Hospital(tmp_path, url, cards, is_asked=False, settings=settings)
    assert "anybody can answer a card" in caplog.text
    before = critical(hospital.open(GRACE, name))
    for card in before:
        hospital.answer(GRACE, card["uuid"])
    cards_now = hospital.open(GRACE, name)
    assert len(critical(cards_now)) == (0 if allowed else len(before))
    assert len(lines(cards_now)) == (len(before) if allowed else 0)
    hospital.close()


# -- how much may come ---------------------------------------------------------------------------


def test_a_call_with_too_many_entries_is_413_and_costs_little(hospital: Hospital) -> None:
    started = time.process_time()
    for entries in ([feedback()] * 201, [feedback()] * 60_000):
        response = hospital.post(GRACE, ADDRESS + "/feedback", {"feedback": entries})
        body = assert_outcome(response, 413)
        assert "200 entries" in body["issue"][0]["diagnostics"]
    assert time.process_time() - started < 5
    accepted = feedback(outcome="accepted", acceptedSuggestions=[{"id": "a"}] * 1001)
    assert_outcome(hospital.post(GRACE, ADDRESS + "/feedback", {"feedback": [accepted]}), 413)
    response = hospital.post(GRACE, ADDRESS + "/feedback", {"feedback": [feedback()] * 200})
    assert response.status_code == 204


def test_75_000_answers_to_one_card_make_no_later_call_slow(hospital: Hospital) -> None:
    [card] = critical(hospital.open(GRACE, POTASSIUM))
    hospital.answer(GRACE, card["uuid"])
    alone = _fastest(hospital)
    with hospital.memory.store.writing() as connection:
        count = select(func.count()).select_from(tables.feedback)
        others = [each for each in tables.feedback.c if each.name != "digest"]
        # The database copies all that are there, until they are enough.
        while (missing := 75_000 - connection.execute(count).scalar_one()) > 0:
            digest = tables.feedback.c.digest + f" {missing}"
            copies = select(digest, *others).limit(missing)
            insert = tables.feedback.insert()
            connection.execute(insert.from_select(["digest", *others], copies))
    # To read them all takes most of a second.
    assert _fastest(hospital) < 2 * alone + 0.3


def _fastest(hospital: Hospital) -> float:
    """CPU seconds of a call and of an answer: rows that are read take our time as well."""

    def seconds() -> float:
        started = time.process_time()
        [line] = hospital.open(GRACE, POTASSIUM)
        hospital.answer(GRACE, line["uuid"])
        return time.process_time() - started

    return min(seconds() for _ in range(7))
