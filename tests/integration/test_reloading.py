"""Content is swapped under load: two workers, two versions and a broken one, no call lost."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest
import requests
from servers import FIXTURES, PROJECT, Service, service

# The whole content: many calls come while it is loaded.
BODY = (FIXTURES / "requests" / "ada-generalised-anxiety.json").read_bytes()
CALL = "/cds-services/anxiety-leg-weakness"
A, B = "2026.11.1", "2026.12.9"

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP to ask for a reload with"
)


class Callers:
    """Threads that call all the time, and note what is not as it has to be."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stopped = threading.Event()
        self.versions: Counter[str] = Counter()
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._call) for _ in range(3)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        while not self._stopped.wait(0.05):  # so that the reload has a processor as well
            try:
                response = requests.post(
                    self._address + CALL, data=BODY, headers=headers, timeout=30
                )
            except requests.RequestException as error:
                self.faults.append(repr(error))
                continue
            version = response.headers.get("Knowledge-Version", "")
            self.versions[version] += 1
            if response.status_code != 200 or not response.json()["cards"]:
                self.faults.append(response.text)
            elif any(f"Knowledge {version} ·" not in c["detail"] for c in response.json()["cards"]):
                self.faults.append(f"cards of another version than {version}")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    return copytree(PROJECT / "cards", tmp_path / "cards")


@pytest.fixture
def serving(content: Path, tmp_path: Path) -> Iterator[Service]:
    settings = {
        "CDS_CARDS_DIR": str(content),
        "CDS_WORKERS": "2",
        "CDS_RUNTIME_DIR": str(tmp_path / "run"),
        "CDS_LOG_LEVEL": "ERROR",
    }
    with service(**settings) as running:
        yield running


def _change(content: Path, old: str, new: str) -> None:
    path = content / "anxiety-leg-weakness" / "service.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _readiness(address: str) -> tuple[str, str]:
    """The version and the state of the last reload of whichever worker answers."""
    response = requests.get(address + "/health/ready", headers={"Connection": "close"}, timeout=30)
    assert response.status_code == 200
    told = response.json()
    return told["knowledge"], told.get("reload", {}).get("state", "none")


def _wait_until_every_worker(address: str, holds: Callable[[tuple[str, str]], bool]) -> None:
    """Both workers are asked by asking often: a new connection goes to either."""
    deadline = time.monotonic() + 120
    in_a_row = 0
    while in_a_row < 40:
        assert time.monotonic() < deadline, _readiness(address)
        in_a_row = in_a_row + 1 if holds(_readiness(address)) else 0
        time.sleep(0.01)


def test_content_is_swapped_under_load_and_no_call_is_lost(serving: Service, content: Path) -> None:
    with Callers(serving.address) as callers:
        for old, new in ((A, B), (B, A), (A, B)):
            _change(content, f"version: {old}", f"version: {new}")
            serving.process.send_signal(signal.SIGHUP)
            _wait_until_every_worker(serving.address, lambda told, new=new: told == (new, "done"))
        _change(content, "most_cards: 4", "most_cards: many")
        serving.process.send_signal(signal.SIGHUP)
        _wait_until_every_worker(serving.address, lambda told: told == (B, "failed"))
        _change(content, "most_cards: many", "most_cards: 4")
        serving.process.send_signal(signal.SIGHUP)
        _wait_until_every_worker(serving.address, lambda told: told == (B, "done"))
    print(f"calls by version: {dict(callers.versions)}")
    assert callers.faults == []
    assert callers.versions.keys() == {A, B}
    assert min(callers.versions.values()) > 10
    assert serving.process.poll() is None
