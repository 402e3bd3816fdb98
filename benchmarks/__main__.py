"""`python -m benchmarks`: measure and print. Nothing is asserted, and no target is set."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

import click
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import in_process, processes
from benchmarks.applications import NAMES
from benchmarks.bodies import Body, make_bodies
from benchmarks.serving import Server
from cds_service.environment import from_environment
from cds_service.knowledge import load

_SERVICE = "anxiety-leg-weakness"


@click.command()
@click.option("--rounds", default=7, show_default=True, help="Pairs of batches for each body.")
@click.option("--seconds", default=0.7, show_default=True, help="Length of a batch.")
@click.option("--json", "as_json", is_flag=True, help="Every batch as JSON in place of tables.")
def main(rounds: int, seconds: float, as_json: bool) -> None:
    """CPU of the service a call, beside a Flask application that does nothing with it."""
    service = load(from_environment().cards_dir).services[_SERVICE]
    bodies = make_bodies(service)
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(name)) for name in NAMES]
        measured = {body.name: measure(servers, body, rounds, seconds) for body in bodies}
        started = {
            server.name: {"start_seconds": server.start_seconds} | server.memory()
            if processes.HAS_PROC
            else {"start_seconds": server.start_seconds}
            for server in servers
        }
    steps = {body.name: in_process.milliseconds(service, body, seconds) for body in bodies}
    if as_json:
        click.echo(orjson.dumps({"calls": measured, "servers": started, "steps": steps}))
        return
    console = Console()
    console.print(_calls(bodies, measured), _servers(started), _steps(steps), sep="\n")


def measure(
    servers: list[Server], body: Body, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Microseconds a call of each server, batch by batch; the batches of a round are neighbours."""
    for server in servers:
        cards = orjson.loads(server.call(body))["cards"]
        if server.name == "service" and bool(cards) != body.fires:
            raise click.ClickException(f"{body.name}: {len(cards)} cards are not expected")
        server.microseconds(body, seconds / 4)  # warm
    batches: dict[str, list[float]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            batches[server.name].append(server.microseconds(body, seconds))
    return batches


def _calls(bodies: list[Body], measured: dict[str, dict[str, list[float]]]) -> Table:
    title = "CPU a call, µs, median" if processes.HAS_PROC else "No /proc here: WAITING a call, µs"
    table = Table("body", "bytes", *NAMES, "ratio: min", "median", "max", title=title)
    for body in bodies:
        service, floor = (measured[body.name][name] for name in NAMES)
        ratios = [ours / least for ours, least in zip(service, floor, strict=True)]
        figures = (f"{each:.2f}" for each in (min(ratios), median(ratios), max(ratios)))
        medians = (f"{median(each):,.0f}" for each in (service, floor))
        table.add_row(body.name, f"{len(body.content):,}", *medians, *figures)
    return table


def _servers(started: dict[str, dict[str, float]]) -> Table:
    table = Table("server", "first answer, s", "worker PSS, MiB", "worker RSS, MiB")
    for name, figures in started.items():
        sizes = (figures.get(kind) for kind in ("Pss", "Rss"))
        memory = (f"{size / 1024:.0f}" if size else "not known here" for size in sizes)
        table.add_row(name, f"{figures['start_seconds']:.2f}", *memory)
    return table


def _steps(steps: dict[str, dict[str, float]]) -> Table:
    title = "Steps in process, CPU ms, median (decide: record, evaluate, and validation)"
    table = Table("body", *in_process.STEPS, "all above parsing", title=title)
    for name, figures in steps.items():
        above = sum(figures[step] for step in in_process.ABOVE_PARSING)
        columns = [*(figures[step] for step in in_process.STEPS), above]
        table.add_row(name, *(f"{each:.3f}" for each in columns))
    return table


if __name__ == "__main__":
    main()
