"""The service as an operator has it: `cds-service serve` as a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import orjson
import pytest
import requests
from integration.serving import FIXTURES, PROJECT, Served, refused, serving

from benchmarks import processes

REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
MOST_SECONDS_TO_START = 3.0
MOST_MEMORY = 150  # MiB
_OF_ANY_DAY = (
    "george-no-anxiety",
    "ada-generalised-anxiety--conditions-empty-page",
    "ada-generalised-anxiety--conditions-missing",
)

needs_proc = pytest.mark.skipif(
    not processes.HAS_PROC, reason="CPU and memory are read from /proc, which is not here"
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


def test_discovery_names_the_service(served: Served) -> None:
    response = requests.get(served.address + "/cds-services", timeout=60)
    assert response.status_code == 200
    assert [each["id"] for each in response.json()["services"]] == ["anxiety-leg-weakness"]


@pytest.mark.skipif(not REQUESTS, reason="no golden requests are written; see `make golden`")
def test_a_fixture_gets_the_status_and_the_cards_of_its_golden_response(served: Served) -> None:
    # Those that do not depend on the day: the server has the clock of today.
    for name in _OF_ANY_DAY:
        body = (FIXTURES / "requests" / f"{name}.json").read_bytes()
        golden = orjson.loads((FIXTURES / "responses" / f"{name}.json").read_bytes())
        response = requests.post(
            served.address + "/cds-services/anxiety-leg-weakness",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        assert response.status_code == golden["status"]
        assert response.json() == golden["body"]


@needs_proc
def test_it_starts_quickly_and_one_worker_is_small(served: Served) -> None:
    memory = processes.memory_of_worker(served.process.pid)["Rss"] / 1024
    print(f"CPU until the first answer {served.cpu_seconds:.2f} s, worker RSS {memory:.0f} MiB")
    # CPU in place of wall time: how long one waits depends on who else is busy.
    assert served.cpu_seconds < MOST_SECONDS_TO_START
    assert 10 < memory < MOST_MEMORY


def test_sigterm_stops_it_cleanly() -> None:
    with serving() as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(running.address + "/cds-services", timeout=60)


def test_a_broken_cards_folder_stops_the_start_and_is_named_by_file_and_key(
    tmp_path: Path,
) -> None:
    cards = copytree(PROJECT / "cards", tmp_path / "cards")
    service = cards / "anxiety-leg-weakness" / "service.yaml"
    service.write_text(service.read_text().replace("most_cards: 4", "most_cards: many"))
    printed = refused({"CDS_CARDS_DIR": str(cards)})
    assert "anxiety-leg-weakness/service.yaml: most_cards:" in printed


@pytest.mark.parametrize(
    ("variable", "text"),
    [("CDS_PORT", "http"), ("CDS_CARDS_DIR", "nowhere"), ("CDS_SUGGESTIONS", "perhaps")],
)
def test_a_wrong_setting_stops_the_start_and_is_named(variable: str, text: str) -> None:
    printed = refused({variable: text})
    assert f"{variable}: " in printed
    assert "Traceback" not in printed
