"""Two workers on one store: many calls with feedback, no call slow, none failed, no row lost."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import requests
from builders import feedback
from legs import ACTED_ON, ADDRESS, BODY, LEGS, remembering
from servers import Service, service
from sqlalchemy import func, select

from cds_service.store import open_store, tables

VISITS = 250
KEY = "k" * 32
ANSWERS_COUNT = {"CDS_ANONYMOUS_ANSWERS": "true"}  # nobody is asked who calls
SAMUEL: str = orjson.loads(BODY)["context"]["patientId"]


def _call(session: requests.Session, running: Service, patient: str) -> list[dict[str, Any]]:
    """The cards for a person like Samuel, whose chart is opened again."""
    body = BODY.replace(SAMUEL.encode(), patient.encode())
    request = orjson.loads(body) | {"hookInstance": str(uuid4())}
    response = session.post(running.address + ADDRESS, json=request, timeout=60)
    assert response.status_code == 200, response.text
    cards: list[dict[str, Any]] = response.json()["cards"]
    return cards


def _answer(session: requests.Session, running: Service, card: dict[str, Any]) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = feedback(card=card["uuid"], overrideReason=ACTED_ON, outcomeTimestamp=at)
    body = {"feedback": [entry]}
    response = session.post(running.address + ADDRESS + "/feedback", json=body, timeout=60)
    assert response.status_code == 204


def _visit(running: Service, patient: str) -> int:
    """Open a chart, answer its cards, open it again: how many whole cards come the second time."""
    with requests.Session() as session:
        cards = _call(session, running, patient)
        assert cards
        for card in cards:
            _answer(session, running, card)
        for card in cards:
            _wait_until_written(session, running, card)
        return sum(card["indicator"] != "info" for card in _call(session, running, patient))


def _wait_until_written(session: requests.Session, running: Service, card: dict[str, Any]) -> None:
    """The row of a card is written behind the call, and may be a moment late."""
    deadline = time.monotonic() + 60
    while session.get(f"{running.address}/trace/{card['uuid']}", timeout=60).status_code != 200:
        assert time.monotonic() < deadline, "it was not written"
        time.sleep(0.25)


def _count(url: str) -> Counter[str]:
    store = open_store(url)
    assert store is not None
    with store.reading() as connection:
        states = select(tables.card.c.state, func.count()).group_by(tables.card.c.state)
        found = Counter({state: number for state, number in connection.execute(states)})
        found["feedback"] = connection.execute(
            select(func.count()).select_from(tables.feedback)
        ).scalar_one()
    store.close()
    return found


def _ready(running: Service) -> Any:
    return requests.get(running.address + "/health/ready", timeout=60).json()


def test_what_one_worker_was_told_the_other_knows_and_nothing_is_lost(
    store_url: str, tmp_path: Path
) -> None:
    patients = [f"person-{number}" for number in range(VISITS)]
    settings = {
        "CDS_CARDS_DIR": str(remembering(tmp_path / "cards")),
        "CDS_STORE_URL": store_url,
        "CDS_HASH_KEY": KEY,
        "CDS_WORKERS": "2",
        **ANSWERS_COUNT,
    }
    with service(**settings) as running:
        with ThreadPoolExecutor(8) as pool:
            left = list(pool.map(lambda patient: _visit(running, patient), patients))
        assert set(left) == {0}
        assert set(_ready(running)["checks"].values()) == {"ok"}
        assert _ready(running)["lostRows"] == 0
    kept = _count(store_url)
    assert kept["shown"] >= len(patients) and kept["suppressed"] >= len(patients)
    assert kept["feedback"] >= len(patients)


def test_what_waits_is_written_when_the_service_is_stopped(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    with service(**LEGS, CDS_STORE_URL=url) as running:
        with sqlite3.connect(tmp_path / "store.sqlite3") as other, requests.Session() as session:
            other.execute("BEGIN IMMEDIATE")  # nobody else can write
            shown = [len(_call(session, running, f"person-{number}")) for number in range(20)]
            running.process.terminate()
            running.wait_until_printed("Stopping worker")
            other.rollback()
        other.close()
        running.process.wait(60)
    assert _count(url)["shown"] == sum(shown) > 0
