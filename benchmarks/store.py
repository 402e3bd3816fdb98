"""`python -m benchmarks.store`: what the store costs a hook call, with two workers.

Two services run side by side, one with a store and one without. Batches of calls go to one and the
other in turn, so that whatever else the machine does meets both. Nothing is asserted.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import orjson
from rich.console import Console
from rich.table import Table

ADDRESS = "/cds-services/anxiety-leg-weakness"
PEOPLE = 500
TARGET = 1.3  # p99 with the store by p99 without it
_SERVE = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve"]
_PERSON = Path(__file__).parent.parent / "fixtures" / "requests" / "ada-generalised-anxiety.json"


@dataclass(slots=True)
class Measured:
    """One service: its port, where it writes what went wrong, and the milliseconds of each call."""

    name: str
    port: int
    log: Path
    milliseconds: list[float] = field(default_factory=list)
    cards: int = 0

    def percentile(self, percent: float) -> float:
        """The milliseconds that so many percent of the calls stayed below."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def get(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        body = orjson.loads(connection.getresponse().read())
        connection.close()
        return body


@click.command()
@click.option("--calls", default=10_000, show_default=True, help="Hook calls, of both together.")
@click.option("--batch", default=100, show_default=True, help="Calls until the other's turn.")
@click.option("--connections", default=2, show_default=True, help="Calls at the same time.")
@click.option("--store", "url", default="", help="CDS_STORE_URL (default: a new SQLite file).")
def main(calls: int, batch: int, connections: int, url: str) -> None:
    """Latency of hook calls with the store on and off; one call in ten is followed by feedback."""
    with tempfile.TemporaryDirectory() as folder:
        url = url or f"sqlite:///{folder}/store.sqlite3"
        with _serving("store on", url, folder) as on, _serving("store off", "none", folder) as off:
            numbers = count()
            for each in (on, off):  # warm
                _batch(each, batch, connections, numbers)
                each.milliseconds.clear()
            for _ in range(calls // batch // 2):
                for each in (on, off):
                    _batch(each, batch, connections, numbers)
            ready = on.get("/health/ready")
        Console().print(_table(on, off))
        log = on.log.read_text()
        complaints = sum(log.count(word) for word in ("unavailable", '"failed"', "Error"))
        ratio = on.percentile(99) / off.percentile(99)
        click.echo(f"p99 ratio {ratio:.2f} (target {TARGET}); lock and other errors {complaints}")
        store, lost = ready["checks"]["store"], ready["lostRows"]
        click.echo(f"store {store}, rows lost by the worker asked {lost}")


@contextmanager
def _serving(name: str, url: str, folder: str) -> Iterator[Measured]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    log = Path(folder) / f"{name}.log"
    settings = {"CDS_STORE_URL": url, "CDS_HASH_KEY": "b" * 32, "CDS_WORKERS": "2"}
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*_SERVE, "--port", str(port)],
            env=os.environ | settings,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _waited(Measured(name, port, log), process)
        finally:
            process.terminate()
            process.wait(30)


def _waited(measured: Measured, process: subprocess.Popen[bytes]) -> Measured:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            measured.get("/health/live")
            return measured
        except OSError:
            time.sleep(0.05)
    raise click.ClickException(f"{measured.name} did not start: {measured.log.read_text()}")


def _batch(measured: Measured, size: int, connections: int, numbers: Iterator[int]) -> None:
    shares = [[next(numbers) for _ in range(size // connections)] for _ in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        for _ in pool.map(partial(_share, measured), shares):
            pass


def _share(measured: Measured, numbers: list[int]) -> None:
    connection = HTTPConnection("127.0.0.1", measured.port, timeout=30)
    for number in numbers:
        body = _body(f"person-{number % PEOPLE}")
        started = time.perf_counter()
        answer = _post(connection, ADDRESS, body)
        measured.milliseconds.append((time.perf_counter() - started) * 1000)
        cards = orjson.loads(answer)["cards"]
        measured.cards += len(cards)
        if cards and number % 10 == 0:
            _post(connection, ADDRESS + "/feedback", _feedback(cards[0]["uuid"]))
    connection.close()


def _post(connection: HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status not in (200, 204):
        raise click.ClickException(f"{path} was answered with {response.status}")
    return answer


def _person() -> Callable[[str], bytes]:
    template = _PERSON.read_bytes()
    request = orjson.loads(template)
    patient, instance = request["context"]["patientId"], request["hookInstance"]

    def body(name: str) -> bytes:
        made = template.replace(f'/{patient}"'.encode(), f'/{name}"'.encode())
        made = made.replace(f'"{patient}"'.encode(), f'"{name}"'.encode())
        return made.replace(instance.encode(), str(uuid4()).encode())

    return body


_body = _person()


def _feedback(card: str) -> bytes:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": moment}
    return orjson.dumps({"feedback": [entry]})


def _table(*services: Measured) -> Table:
    table = Table("", "calls", "cards", "p50, ms", "p90, ms", "p99, ms", title="Hook calls")
    for each in services:
        figures = (f"{each.percentile(percent):.1f}" for percent in (50, 90, 99))
        table.add_row(each.name, f"{len(each.milliseconds):,}", f"{each.cards:,}", *figures)
    return table


if __name__ == "__main__":
    main()
