"""`cds-service serve` as a process of its own, for tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from benchmarks import processes

PROJECT = Path(__file__).parent.parent.parent
FIXTURES = PROJECT / "fixtures"
SERVE = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers. `cpu_seconds` is what all its processes used until they did."""

    process: subprocess.Popen[str]
    address: str
    cpu_seconds: float


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _start(port: int, settings: dict[str, str]) -> subprocess.Popen[str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
    return subprocess.Popen(
        [*SERVE, "--port", str(port)],
        cwd=PROJECT,
        env=ours | {"PYTHONPATH": str(PROJECT)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def serving(settings: dict[str, str] | None = None) -> Iterator[Served]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = _start(port, settings or {})
    try:
        _wait(process, address)
        cpu = processes.cpu_seconds(process.pid) if processes.HAS_PROC else 0.0
        yield Served(process, address, cpu)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(process: subprocess.Popen[str], address: str) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            requests.get(address + "/cds-services", timeout=60)
            return
        except requests.ConnectionError:
            time.sleep(0.02)
    process.kill()
    pytest.fail(f"it did not start: {process.communicate()[0]}")


def refused(settings: dict[str, str]) -> str:
    """What is printed by a server that does not start, which has to end with a fault."""
    process = _start(free_port(), settings)
    try:
        printed, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it goes on: {process.communicate()[0]}")
    assert process.returncode != 0, printed
    return printed
