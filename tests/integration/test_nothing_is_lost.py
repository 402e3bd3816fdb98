"""kill -9 in the middle of 1,000 posts of feedback: what was answered with 204 is there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import requests
from builders import feedback
from legs import ADDRESS, BODY, LEGS
from servers import Service, cluster, service
from sqlalchemy import select

from benchmarks import processes
from cds_service.store import open_store, tables

POSTS = 1000
PAUSE = 0.01  # seconds before each of them, so that some come while the disaster lasts
KEY = "k" * 32

pytestmark = pytest.mark.skipif(
    not processes.HAS_PROC, reason="workers are found in /proc, which is not here"
)


def _post(running: Service, card: str) -> bool:
    """Whether one entry was answered with 204; 503 and a broken connection are no answer."""
    body = orjson.dumps({"feedback": [feedback(card=card)]})
    with closing(HTTPConnection("127.0.0.1", running.port, timeout=60)) as connection:
        try:
            connection.request(
                "POST", f"{ADDRESS}/feedback", body, {"Content-Type": "application/json"}
            )
            status = connection.getresponse().status
        except (OSError, HTTPException):
            return False
    assert status in (204, 503)
    return status == 204


def _post_all(running: Service, cards: list[str], disaster: Callable[[], None]) -> set[str]:
    """The cards that were answered with 204, with a disaster when a third was posted."""

    def post(card: str) -> bool:
        time.sleep(PAUSE)
        return _post(running, card)

    with ThreadPoolExecutor(4) as pool:
        answers = {card: pool.submit(post, card) for card in cards}
        while sum(answer.done() for answer in answers.values()) < len(cards) / 3:
            time.sleep(0.005)
        disaster()
        return {card for card, answer in answers.items() if answer.result()}


def _repeat(running: Service, cards: list[str]) -> None:
    """Post as a client that repeats what was not taken."""
    for card in cards:
        deadline = time.monotonic() + 90
        while not _post(running, card):
            assert time.monotonic() < deadline
            time.sleep(0.5)


def _kept(url: str) -> set[str]:
    store = open_store(url)
    assert store is not None
    with store.reading() as connection:
        cards = set(connection.execute(select(tables.feedback.c.card_uuid)).scalars())
    store.close()
    return cards


def test_a_killed_service_has_what_it_answered(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    cards = [str(uuid4()) for _ in range(POSTS)]
    with service(**LEGS, CDS_STORE_URL=url, CDS_WORKERS="2") as running:

        def kill_and_start() -> None:
            running.kill()
            running.start()

        answered = _post_all(running, cards, kill_and_start)
        assert 300 < len(answered) <= POSTS
        assert answered <= _kept(url)
        missed = [card for card in cards if card not in answered]
        _repeat(running, missed)
    assert _kept(url) == set(cards)


def test_a_killed_worker_has_what_it_answered(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    cards = [str(uuid4()) for _ in range(POSTS)]
    with service(**LEGS, CDS_STORE_URL=url, CDS_WORKERS="2") as running:

        def kill_one() -> None:
            os.kill(max(running.workers), signal.SIGKILL)

        answered = _post_all(running, cards, kill_one)
    assert 300 < len(answered) <= POSTS
    assert answered <= _kept(url)


def test_a_killed_postgresql_has_what_was_answered() -> None:
    cards = [str(uuid4()) for _ in range(POSTS)]
    with (
        cluster() as server,
        service(**LEGS, CDS_STORE_URL=server.url, CDS_HASH_KEY=KEY, CDS_WORKERS="2") as running,
    ):

        def kill_and_start() -> None:
            for pid in server.processes():
                os.kill(pid, signal.SIGKILL)
            server.start_again()

        answered = _post_all(running, cards, kill_and_start)
        assert 300 < len(answered) < POSTS
        assert answered <= _kept(server.url)
        missed = [card for card in cards if card not in answered]
        _repeat(running, missed)
        assert _kept(server.url) == set(cards)


def test_a_postgresql_that_hangs_neither_slows_nor_fails_a_hook_call() -> None:
    def call(running: Service) -> float:
        started = time.monotonic()
        response = requests.post(
            running.address + ADDRESS,
            data=BODY,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert response.status_code == 200 and response.json()["cards"]
        return time.monotonic() - started

    with (
        cluster() as server,
        service(**LEGS, CDS_STORE_URL=server.url, CDS_HASH_KEY=KEY) as running,
    ):
        call(running)
        assert _post(running, str(uuid4()))
        hanging = server.processes()
        for pid in hanging:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert call(running) < 10  # it asked, and did not wait
            assert not _post(running, str(uuid4()))
            # It knows by now: if it asked again, each call would wait for a quarter of a second.
            assert min(call(running) for _ in range(20)) < 0.25
            ready = requests.get(running.address + "/health/ready", timeout=10)
            assert (ready.status_code, ready.json()["checks"]["store"]) == (200, "failed")
        finally:
            for pid in hanging:
                os.kill(pid, signal.SIGCONT)
        _repeat(running, [str(uuid4())])
