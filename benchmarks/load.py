"""`python -m benchmarks.load`: calls at once, and small calls beside large ones.

Latency and throughput as clients see them, with clients on the same machine: they take a share of
its processors. Nothing is asserted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Event

import click
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.bodies import Body, make_bodies
from benchmarks.serving import Server
from cds_service.environment import from_environment
from cds_service.knowledge import load

CONNECTIONS = 8
WORKERS = 2
SMALL, LARGE = "11 KB, firing", "10 MB, silent"
_SERVICE = "anxiety-leg-weakness"


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="Length of each measurement.")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of the table.")
def main(seconds: float, as_json: bool) -> None:
    """Calls a second with two workers, latency at half of that, and beside 10 MB bodies."""
    service = load(from_environment().cards_dir).services[_SERVICE]
    bodies = {body.name: body for body in make_bodies(service)}
    small, large = bodies[SMALL], bodies[LARGE]
    rows = {}
    with Server("service", workers=WORKERS) as server:
        _closed(server, small, 1.0)  # warm
        waits = _closed(server, small, seconds)
        rate = len(waits) / seconds
        rows[f"{CONNECTIONS} connections, {WORKERS} workers"] = figures(waits, seconds)
        half = _paced(server, small, rate / 2, seconds)
        rows["the same at half of that rate"] = figures(half, seconds)
    with Server("service", workers=1) as server:
        _closed(server, small, 1.0)
        rows["one connection, one worker"] = figures(_alone(server, small, seconds), seconds)
        beside = _beside(server, small, large, seconds)
        rows["the same beside 10 MB bodies"] = figures(beside, seconds)
    if as_json:
        click.echo(orjson.dumps(rows))
        return
    names = ("calls a second", "p50, ms", "p99, ms", "longest, ms")
    table = Table(SMALL, *names, title=f"Clients beside the server, {os.cpu_count()} processors")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[figure]:.1f}" for figure in names))
    Console().print(table)


def figures(waits: list[float], seconds: float) -> dict[str, float]:
    """Calls a second, and the milliseconds that half, 99 % and all of the calls stayed below."""
    ordered = [wait * 1000 for wait in sorted(waits)]
    return {
        "calls a second": len(waits) / seconds,
        "p50, ms": ordered[len(ordered) // 2],
        "p99, ms": ordered[len(ordered) * 99 // 100],
        "longest, ms": ordered[-1],
    }


def _closed(server: Server, body: Body, seconds: float) -> list[float]:
    """Seconds a call; each connection calls again as soon as it has an answer."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        work = [pool.submit(_alone, server, body, seconds) for _ in range(CONNECTIONS)]
        return [wait for each in work for wait in each.result()]


def _alone(server: Server, body: Body, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    return _calls(server, body, lambda _: time.perf_counter() < until)


def _paced(server: Server, body: Body, rate: float, seconds: float) -> list[float]:
    """Seconds a call from the moment it was due, so that waiting in a queue counts."""
    began, each = time.perf_counter(), CONNECTIONS / rate

    def share(first: float) -> list[float]:
        waits: list[float] = []
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        due = began + first
        while due < began + seconds:
            time.sleep(max(0.0, due - time.perf_counter()))
            server.call_over(connection, body)
            waits.append(time.perf_counter() - due)
            due += each
        connection.close()
        return waits

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        work = [pool.submit(share, number / rate) for number in range(CONNECTIONS)]
        return [wait for each_of in work for wait in each_of.result()]


def _beside(server: Server, small: Body, large: Body, seconds: float) -> list[float]:
    """The small calls of one connection while two others send large bodies."""
    over = Event()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(_calls, server, large, lambda _: not over.is_set())
        try:
            return _alone(server, small, seconds)
        finally:
            over.set()


def _calls(server: Server, body: Body, goes_on: Callable[[int], bool]) -> list[float]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    waits: list[float] = []
    while goes_on(len(waits)):
        began = time.perf_counter()
        server.call_over(connection, body)
        waits.append(time.perf_counter() - began)
    connection.close()
    return waits


if __name__ == "__main__":
    main()
