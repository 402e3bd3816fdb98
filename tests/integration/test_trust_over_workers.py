"""Two real workers: what one of them has seen, the other knows."""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
import requests
from databases import redis_url
from legs import ADDRESS, BODY, LEGS
from servers import Service, service
from tokens import bearer_of_today as bearer
from tokens import write_jwks

PUBLIC_URL = "https://cds.example.org"  # as a proxy in front would have it


@pytest.fixture(scope="module", params=["store", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("workers")
    issuers = [f"ehr-{uuid4()}" for _ in range(3)]
    path = write_jwks(folder, "ES384")
    settings = {
        "CDS_ISSUERS": ", ".join(f"{issuer}={path}" for issuer in issuers),
        "CDS_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_METRICS_OPEN": "true",
        "CDS_RATE_LIMIT": "20 per hour",
        "CDS_WORKERS": "2",
    }
    if request.param == "redis":
        url = redis_url()
        _forget_this_machine(url)
        settings["CDS_REDIS_URL"] = url
    with service(**LEGS, **settings) as running:
        yield running, issuers, request.param


def _forget_this_machine(url: str) -> None:
    """Earlier runs have used up what an address may call without a token in an hour."""
    server = redis.Redis.from_url(url)
    for key in server.scan_iter("*127.0.0.1*"):
        server.delete(key)


def post(running: Service, headers: dict[str, str]) -> int:
    # A connection of its own each time, so that both workers get some.
    return requests.post(
        running.address + ADDRESS, data=BODY, headers=headers, timeout=60
    ).status_code


def test_t_8_two_workers_let_a_token_in_once(shared: tuple[Service, list[str], str]) -> None:
    running, issuers, _ = shared
    tokens = [bearer(issuers[0], PUBLIC_URL + ADDRESS) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda headers: post(running, headers), tokens * 4))
    assert Counter(statuses) == {200: 4, 401: 12}


def test_two_workers_count_one_limit_together_in_redis_and_else_each_its_own(
    shared: tuple[Service, list[str], str],
) -> None:
    running, issuers, kind = shared
    headers = [bearer(issuers[1], PUBLIC_URL + ADDRESS) for _ in range(26)]
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(lambda each: post(running, each), headers))
    assert set(statuses) <= {200, 429}
    assert statuses[200] == 20 if kind == "redis" else statuses[200] >= 20


def test_two_workers_count_into_the_same_metrics(shared: tuple[Service, list[str], str]) -> None:
    running, issuers, _ = shared
    before = counted(running)
    headers = [bearer(issuers[2], PUBLIC_URL + ADDRESS) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda each: post(running, each), headers)) == {200}
    seen = {counted(running) for _ in range(8)}
    assert seen == {before + 12}


def counted(running: Service) -> int:
    text = requests.get(running.address + "/metrics", timeout=60).text
    found = re.findall(r'cds_calls_total\{endpoint="call_service".*status="200"\} (\d+)', text)
    return int(found[0]) if found else 0


def test_the_log_is_json_and_says_at_the_start_that_nobody_is_asked() -> None:
    with service(**LEGS, CDS_STORE_URL="none") as running:
        headers = {"Content-Type": "application/json"}
        requests.post(running.address + ADDRESS, data=BODY, headers=headers, timeout=60)
        running.stop()
        lines = [json.loads(line) for line in running.printed().splitlines() if line[0] == "{"]
    events = Counter(line["event"] for line in lines)
    assert events["anybody can call, because CDS_ISSUERS is not set"] == 1
    (answered,) = [line for line in lines if line.get("endpoint") == "call_service"]
    assert (answered["event"], answered["status"]) == ("answered", 200)


def test_told_to_stop_while_a_worker_starts_it_stops_all_the_same(tmp_path: Path) -> None:
    settings = {"CDS_WORKERS": "2", "CDS_STORE_URL": "none"}
    running = Service(LEGS | settings, tmp_path / "output")
    running.launch()
    running.wait_for_workers(1)
    assert running.stop() == 0


def test_the_folder_of_metrics_is_gone_afterwards(tmp_path: Path) -> None:
    settings = {"CDS_WORKERS": "2", "CDS_STORE_URL": "none", "TMPDIR": str(tmp_path)}
    with service(**LEGS, **settings) as running:
        requests.get(running.address + "/metrics", timeout=60)
        assert list(tmp_path.glob("cds-service-metrics-*/*.db"))
        running.stop()
    assert not list(tmp_path.glob("cds-service-metrics-*"))
