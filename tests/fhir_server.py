"""A real FHIR R4 server for tests: sekmet-fhir as a process, with the invented people on it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from integration.sekmet_server import TOKEN

PROJECT = Path(__file__).parent.parent
STARTER = Path(__file__).parent / "integration" / "sekmet_server.py"
SECONDS_TO_START = 120
AUTHORIZATION = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}


@dataclass(frozen=True, slots=True)
class FHIRServer:
    """Where it listens."""

    origin: str

    @property
    def base(self) -> str:
        return f"{self.origin}/fhir"

    def seen(self) -> list[dict[str, str]]:
        """The requests since the last time that somebody asked."""
        requests_: list[dict[str, str]] = requests.get(f"{self.origin}/seen", timeout=60).json()
        return requests_

    def get(self, query: str) -> Any:
        """What it answers to a read or a search."""
        return requests.get(f"{self.base}/{query}", headers=_HEADERS, timeout=60).json()

    def load(self, path: Path) -> None:
        """Put the resources of a transaction Bundle there."""
        response = requests.post(self.base, path.read_bytes(), headers=_HEADERS, timeout=60)
        assert response.status_code == 200, f"{path.name}: {response.text[:500]}"


@contextmanager
def fhir_server(folder: Path) -> Iterator[FHIRServer]:
    """A server with every fixture person on it, that keeps its data in a folder."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = folder / "log"
    command = [sys.executable, str(STARTER), str(port), str(folder)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        server = FHIRServer(f"http://127.0.0.1:{port}")
        _wait(process, server, log)
        for path in sorted((PROJECT / "fixtures" / "patients").glob("*.json")):
            server.load(path)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], server: FHIRServer, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.seen()
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail(f"the FHIR server did not start: {log.read_text()}")
