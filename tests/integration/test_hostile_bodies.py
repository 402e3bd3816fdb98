"""A body that costs more than its bytes must not delay the calls of other clients."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import orjson
import pytest
import requests
from servers import PROJECT, Service, service

from benchmarks import hostile, processes

ADDRESS = "/cds-services/anxiety-leg-weakness"
BODY = (PROJECT / "fixtures/requests/samuel-potassium-2-3.json").read_bytes()
JSON = {"Content-Type": "application/json"}
AT_ONCE = 1.0  # seconds in which a call of a client that behaves is answered
PAUSE = 0.2  # between the calls of an attacker, who needs the same two cores
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("store")
    with service(CDS_STORE_URL=f"sqlite:///{folder}/store.sqlite3") as started:
        yield started


def _named(length: int) -> bytes:
    request = orjson.loads(BODY)
    request["prefetch"]["patient"]["name"] = [{"text": "Samuel " * (length // 7)}]
    medicine = {"text": "odd medicine " * (length // 13)}
    order = {"resourceType": "MedicationRequest", "status": "active", "intent": "order"}
    entry = {"resource": order | {"medicationCodeableConcept": medicine}}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [entry]}
    return orjson.dumps(
        request | {"prefetch": request["prefetch"] | {"medicationRequests": bundle}}
    )


def _unasked(length: int) -> bytes:
    request = orjson.loads(BODY)
    keys = {f"key-{n}": {"resourceType": "Patient", "id": "1"} for n in range(length // 50)}
    return orjson.dumps(request | {"prefetch": request["prefetch"] | keys})


def _feedback(entries: int) -> bytes:
    entry = {
        "card": "00000000-0000-4000-8000-000000000000",
        "outcome": "accepted",
        "outcomeTimestamp": "2026-11-22T12:00:00Z",
    }
    return orjson.dumps({"feedback": [entry] * entries})


# Each row of the review: what is sent, how it is answered.
Sent = tuple[str, bytes, dict[str, str]]
ROWS: dict[str, tuple[Callable[[], Sent], set[int]]] = {
    "one-code-of-200-KB": (lambda: (ADDRESS, hostile.body("a long ICD code", 1700), {}), {200}),
    "ingredients-times-orders": (
        lambda: (ADDRESS, hostile.body("ingredients times orders", 1500), {}),
        {200},
    ),
    "a-header-of-dashes": (lambda: (ADDRESS, BODY, {"Accept-Language": "-" * 320_000}), {200}),
    "a-name-of-160-KB": (lambda: (ADDRESS, _named(160_000), {}), {200}),
    "16-MiB-of-empty-objects": (
        lambda: (ADDRESS, b'{"prefetch": {"x": [' + b"{}," * (5 * MEBIBYTE) + b"{}]}}", {}),
        {413, 503},
    ),
    "16-MiB-of-orders-in-text": (
        lambda: (ADDRESS, hostile.body("orders of text only", 98_000), {}),
        {413, 503},
    ),
    "8-MB-of-prefetch-keys": (lambda: (ADDRESS, _unasked(8_000_000), {}), {200, 503}),
    "60,000-entries-of-feedback": (
        lambda: (f"{ADDRESS}/feedback", _feedback(60_000), {}),
        {413},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_it_delays_no_call_of_another_client(running: Service, row: str) -> None:
    """Four clients send it again and again, and one that behaves has its cards within a second.

    The time for which a busy machine had no core for the service does not count.
    """
    make, expected = ROWS[row]
    path, body, headers = make()
    is_over = Event()

    def attack() -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not (is_over.is_set() and statuses):
            url = running.address + path
            statuses[requests.post(url, body, headers=JSON | headers, timeout=60).status_code] += 1
            time.sleep(PAUSE)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        attacks = [pool.submit(attack) for _ in range(4)]
        time.sleep(0.5)
        seconds = [_seconds_of_a_call(running) for _ in range(10)]
        is_over.set()
        statuses = sum((each.result() for each in attacks), Counter())
    assert set(statuses) <= expected and statuses.total() >= 4, statuses
    assert max(seconds) < AT_ONCE, seconds


def _seconds_of_a_call(running: Service) -> float:
    without_core = processes.seconds_without_core(running.process.pid)
    began = time.monotonic()
    answer = requests.post(running.address + ADDRESS, BODY, headers=JSON, timeout=60)
    waited = time.monotonic() - began
    waited -= processes.seconds_without_core(running.process.pid) - without_core
    assert answer.status_code == 200 and b'"indicator":"critical"' in answer.content
    time.sleep(0.05)
    return waited


def test_only_calls_may_be_larger_than_the_form_of_a_page(running: Service) -> None:
    large = _named(3 * MEBIBYTE)
    assert (
        requests.post(running.address + ADDRESS, large, headers=JSON, timeout=30).status_code == 200
    )
    refused = requests.post(running.address + "/", large, headers=JSON, timeout=30)
    assert refused.status_code == 413
    small = requests.post(running.address + "/", b"x" * MEBIBYTE, headers=JSON, timeout=30)
    assert small.status_code == 405
