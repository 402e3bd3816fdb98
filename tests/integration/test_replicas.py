"""Two replicas behind nginx, on one PostgreSQL and one Redis, are one service."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
import redis
import requests
from builders import feedback
from commands import run
from databases import new_database, redis_url
from legs import ACTED_ON, ADDRESS, BODY, VERSION, remembering
from nginx import nginx
from servers import Service, postgresql_programs, refused
from sqlalchemy import func, select
from tokens import bearer_of_today, write_jwks

from cds_service.store import Store, open_store, schema, tables

SAMUEL: str = orjson.loads(BODY)["context"]["patientId"]
PUBLIC_URL = "https://cds.example.org"
KEY = "k" * 32
A, B = VERSION, "tiny-2"
LIMIT = 14  # calls in an hour; no other test has this number
REST = 4.0  # seconds; nginx leaves a replica that failed alone for two, by a clock of whole seconds


def _request(patient: str) -> bytes:
    """The opening of the chart of a person like Samuel."""
    body = orjson.loads(BODY.replace(SAMUEL.encode(), patient.encode()))
    return orjson.dumps(body | {"hookInstance": str(uuid4())})


def _cards(address: str, patient: str, headers: dict[str, str] | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | (headers or {})
    response = requests.post(address + ADDRESS, _request(patient), headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()["cards"]


def _entry(card: str) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"feedback": [feedback(card=card, overrideReason=ACTED_ON, outcomeTimestamp=at)]}


def _whole(cards: list[dict[str, Any]]) -> int:
    """How many cards say more than that they were answered."""
    return sum(card["indicator"] != "info" for card in cards)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.25)


def _counted(address: str) -> list[dict[str, Any]]:
    """What the report says of each rule."""
    report = requests.get(f"{address}/report.json?since=1d", timeout=30).json()
    rules: list[dict[str, Any]] = report["rules"]
    return rules


def _wait_for_cards(address: str, patient: str, whole: int) -> None:
    """On a busy machine a lookup may come too late for its call: then a card comes once more."""
    _wait_until(lambda: _whole(_cards(address, patient)) == whole)


@dataclass
class Pair:
    """Two replicas, each as on a machine of its own, and nginx in front of them."""

    replicas: list[Service]
    address: str  # of nginx
    url: str  # of the store
    cards: Path

    @property
    def settings(self) -> dict[str, str]:
        return self.replicas[0].settings

    def serve(self, *versions: str, same: str) -> bool:
        """Whether each replica says that it serves this version, and that all serve the same."""
        urls = [f"{replica.address}/health/ready" for replica in self.replicas]
        told = [requests.get(url, timeout=30).json() for url in urls]
        return [(each["knowledge"], each["checks"].get("sameKnowledge")) for each in told] == [
            (version, same) for version in versions
        ] and told[0].get("workers") == told[1].get("workers") == Counter(versions)


@contextmanager
def _pair(folder: Path, cards: Path, **settings: str) -> Iterator[Pair]:
    with ExitStack() as stack:
        url = stack.enter_context(new_database())
        shared = {
            "CDS_STORE_URL": url,
            "CDS_HASH_KEY": KEY,
            "CDS_CARDS_DIR": str(cards),
            "CDS_LOG_LEVEL": "ERROR",
            **settings,
        }
        replicas = [
            Service(
                shared | {"CDS_RUNTIME_DIR": str(folder / f"run-{name}")}, folder / f"out-{name}"
            )
            for name in "12"
        ]
        address = stack.enter_context(nginx(*(each.port for each in replicas)))
        for replica in replicas:
            replica.launch()
            stack.callback(_stop, replica)
        for replica in replicas:
            replica.wait_for_workers(1)
        yield Pair(replicas, address, url, cards)


def _stop(replica: Service) -> None:
    if replica.process.poll() is None:
        replica.stop()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("replicas")
    with _pair(folder, remembering(folder / "cards"), CDS_ANONYMOUS_ANSWERS="true") as pair:
        yield pair


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    assert store is not None
    with closing(store):
        yield store


def _number(url: str, table: Any, *conditions: Any) -> int:
    with _opened(url) as store, store.reading() as connection:
        query = select(func.count()).select_from(table).where(*conditions)
        return int(connection.execute(query).scalar_one())


@dataclass
class Clinicians:
    """Threads that open charts through nginx all the time, and answer one card in three calls."""

    address: str
    versions: Counter[str] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)  # uuids of cards whose feedback is stored
    faults: list[str] = field(default_factory=list)
    sent_again: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Clinicians:
        self._threads = [threading.Thread(target=self._work) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with requests.Session() as session:
            session.headers["Content-Type"] = "application/json"
            number = 0
            while not self._stopped.wait(0.1):  # so that what they wait for has a processor too
                number += 1
                try:
                    self._open(session, answers=number % 3 == 0)
                except requests.RequestException as error:
                    self.faults.append(repr(error))

    def _open(self, session: requests.Session, *, answers: bool) -> None:
        opened = session.post(self.address + ADDRESS, _request(str(uuid4())), timeout=30)
        version = opened.headers.get("Knowledge-Version", "")
        self.versions[version] += 1
        cards = opened.json()["cards"] if opened.status_code == 200 else []
        if not cards:
            self.faults.append(f"{opened.status_code} {opened.text}")
        elif any(f"Knowledge {version} ·" not in card["detail"] for card in cards):
            self.faults.append(f"cards of another version than {version}")
        elif answers:
            self._answer(session, cards[0]["uuid"])

    def _answer(self, session: requests.Session, uuid: str) -> None:
        """As clients do it: what is refused with Retry-After is sent again."""
        entry, url = orjson.dumps(_entry(uuid)), f"{self.address}{ADDRESS}/feedback"
        deadline = time.monotonic() + 60
        kept = session.post(url, entry, timeout=30)
        while kept.status_code == 503 and "Retry-After" in kept.headers:
            if time.monotonic() > deadline:
                break
            self.sent_again += 1
            time.sleep(0.5)
            kept = session.post(url, entry, timeout=30)
        if kept.status_code == 204:
            self.answered.append(uuid)
        else:
            self.faults.append(f"feedback: {kept.status_code} {kept.text}")

    def wait_for_calls(self, count: int = 20) -> None:
        """Wait until so many more calls were answered."""
        before = self.versions.total()
        _wait_until(lambda: self.versions.total() >= before + count)


@contextmanager
def _clinicians(pair: Pair) -> Iterator[Clinicians]:
    """At work from before the block until after it; no call failed, no feedback was lost."""
    with Clinicians(pair.address) as at_work:
        at_work.wait_for_calls()
        yield at_work
        at_work.wait_for_calls()
    print(f"calls: {dict(at_work.versions)}, answered cards: {len(at_work.answered)}")
    assert at_work.faults == []
    assert at_work.answered
    stored = tables.feedback.c.card_uuid.in_(at_work.answered)
    assert _number(pair.url, tables.feedback, stored) == len(at_work.answered)


# -- one service ---------------------------------------------------------------------------------


def test_a_card_that_was_answered_at_one_replica_stays_away_at_the_other(pair: Pair) -> None:
    first, second = (replica.address for replica in pair.replicas)
    patient = str(uuid4())
    cards = _cards(first, patient)
    assert _whole(cards) > 0
    for card in cards:
        url = f"{second}{ADDRESS}/feedback"
        assert requests.post(url, json=_entry(card["uuid"]), timeout=30).status_code == 204
    ours = tables.card.c.uuid.in_([card["uuid"] for card in cards])
    answered = tables.card.c.answered_at.is_not(None)
    _wait_until(lambda: _number(pair.url, tables.card, ours, answered) == len(cards))
    for address in (first, second, pair.address):
        _wait_for_cards(address, patient, 0)
    # Both count the same when all is written, and nobody reads it through the proxy without
    # signing in.
    _wait_until(lambda: _counted(first) == _counted(second) != [])
    through = requests.get(f"{pair.address}/report.json", timeout=30)
    assert through.status_code in (401, 403)


def test_a_token_is_let_in_once_and_a_limit_is_counted_once_by_both(
    tmp_path: Path, pair: Pair
) -> None:
    issuers = [f"ehr-{uuid4()}" for _ in range(2)]
    keys = write_jwks(tmp_path, "ES384")
    settings = {
        "CDS_ISSUERS": ", ".join(f"{issuer}={keys}" for issuer in issuers),
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_RATE_LIMIT": f"{LIMIT} per hour",
        "CDS_REDIS_URL": redis_url(),
    }
    with closing(redis.Redis.from_url(redis_url())) as server:
        for key in server.scan_iter(f"*127.0.0.1*{LIMIT}*"):
            server.delete(key)  # what an earlier run has used up without a valid token

    def status(headers: dict[str, str]) -> int:
        url = closed.address + ADDRESS
        return requests.post(url, _request("samuel"), headers=headers, timeout=30).status_code

    with _pair(tmp_path, pair.cards, **settings) as closed, ThreadPoolExecutor(6) as pool:
        tokens = [bearer_of_today(issuers[0], PUBLIC_URL + ADDRESS) for _ in range(4)]
        assert Counter(pool.map(status, tokens * 4)) == {200: 4, 401: 12}
        tokens = [bearer_of_today(issuers[1], PUBLIC_URL + ADDRESS) for _ in range(LIMIT + 4)]
        assert Counter(pool.map(status, tokens)) == {200: LIMIT, 429: 4}


# -- what may happen to a replica ----------------------------------------------------------------


def test_a_replica_that_is_killed_under_load_fails_no_call_and_loses_no_feedback(
    pair: Pair,
) -> None:
    with _clinicians(pair) as at_work:
        pair.replicas[0].kill()
        at_work.wait_for_calls()
        pair.replicas[0].start()
        time.sleep(REST)


def test_replicas_are_restarted_one_after_the_other_and_no_call_fails(pair: Pair) -> None:
    with _clinicians(pair) as at_work:
        for replica in pair.replicas:
            assert replica.stop() == 0
            at_work.wait_for_calls()
            replica.start()
            time.sleep(REST)


def _change(pair: Pair, old: str, new: str) -> None:
    path = pair.cards / "legs" / "service.yaml"
    content = path.read_text()
    assert f"version: {old}" in content
    path.write_text(content.replace(f"version: {old}", f"version: {new}"))


def test_a_reload_reaches_both_and_readiness_says_while_they_differ(pair: Pair) -> None:
    _wait_until(lambda: pair.serve(A, A, same="ok"))
    _change(pair, A, B)
    try:
        with _clinicians(pair) as at_work:
            pair.replicas[0].process.send_signal(signal.SIGHUP)  # reaches one machine
            _wait_until(lambda: pair.serve(B, A, same="failed"))
            assert B in run("reload", **pair.settings).output
            _wait_until(lambda: pair.serve(B, B, same="ok"))
        assert at_work.versions.keys() == {A, B}
    finally:
        _change(pair, B, A)
        run("reload", **pair.settings)
        _wait_until(lambda: pair.serve(A, A, same="ok"))


# -- the store -----------------------------------------------------------------------------------

_EXPAND = (
    "ALTER TABLE card ADD COLUMN later text",
    "CREATE INDEX card_later ON card (later)",
    "CREATE TABLE later (id bigint PRIMARY KEY)",
    "UPDATE alembic_version SET version_num = '9999'",
)
_CONTRACT = (
    "DROP TABLE later",
    "ALTER TABLE card DROP COLUMN later",
    f"UPDATE alembic_version SET version_num = '{schema.HEAD}'",
)


def _apply(url: str, statements: tuple[str, ...]) -> None:
    """As the migration of another release does it: in one transaction."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_newer_release_expands_the_store_and_contracts_it_while_both_run(pair: Pair) -> None:
    with _clinicians(pair) as at_work:
        _apply(pair.url, _EXPAND)
        at_work.wait_for_calls(40)
        # What runs goes on; what starts now has to be of the newer release.
        status, said = refused(**pair.settings)
        assert status == 2 and "a newer release" in said
        _apply(pair.url, _CONTRACT)
        at_work.wait_for_calls(40)


def test_a_backup_is_made_under_load_and_a_service_goes_on_from_it(
    pair: Pair, tmp_path: Path
) -> None:
    programs = postgresql_programs()
    assert programs is not None
    patient, dump = str(uuid4()), tmp_path / "store.dump"
    cards = _cards(pair.address, patient)
    for card in cards:
        url = f"{pair.address}{ADDRESS}/feedback"
        assert requests.post(url, json=_entry(card["uuid"]), timeout=30).status_code == 204
    ours = tables.card.c.uuid.in_([card["uuid"] for card in cards])
    answered = tables.card.c.answered_at.is_not(None)
    _wait_until(lambda: _number(pair.url, tables.card, ours, answered) == len(cards))
    with _clinicians(pair):
        command = [programs / "pg_dump", "--format=custom", f"--file={dump}", pair.url]
        subprocess.run(command, check=True, timeout=60)
    with new_database() as restored:
        command = [
            programs / "pg_restore",
            "--no-owner",
            "--exit-on-error",
            f"--dbname={restored}",
            dump,
        ]
        subprocess.run(command, check=True, timeout=60)
        assert _number(restored, tables.card, ours, answered) == len(cards)
        settings = pair.settings | {"CDS_STORE_URL": restored}
        for key, whole in ((KEY, 0), ("another" * 6, _whole(cards))):
            again = Service(settings | {"CDS_HASH_KEY": key}, tmp_path / "output")
            again.start()
            try:
                _wait_for_cards(again.address, patient, whole)
            finally:
                again.stop()
