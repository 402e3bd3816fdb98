"""`python -m benchmarks`: measure and print. Nothing is asserted, and no target is set."""

from __future__ import annotations

from compileall import compile_dir
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import click
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import in_process, processes, rules
from benchmarks.bodies import SIZES, Body, make_bodies
from benchmarks.plot import plot
from benchmarks.serving import PROJECT, Server
from cds_service.environment import from_environment
from cds_service.knowledge import CDSService, load

_SERVICE = "anxiety-leg-weakness"
FLOOR = "floor"

Batches = dict[str, dict[str, list[float]]]  # microseconds a call, by body and server


@click.command()
@click.option("--rounds", default=7, show_default=True, help="Batches of each server and body.")
@click.option("--seconds", default=0.7, show_default=True, help="Least length of a batch.")
@click.option("--postgresql", default="", help="CDS_STORE_URL of a server to measure as well.")
@click.option("--plots", type=click.Path(path_type=Path), help="Folder to write SVG plots into.")
@click.option("--json", "as_json", is_flag=True, help="Every batch as JSON in place of tables.")
def main(rounds: int, seconds: float, postgresql: str, plots: Path | None, as_json: bool) -> None:
    """CPU of the service a call, beside a Flask application that does nothing with it.

    Each call is about another patient, with the default store. The batches of a round are
    neighbours, so that whatever else the machine does meets every server.
    """
    # An installed service has its bytecode: a start does not wait for a compiler.
    compile_dir(PROJECT / "cds_service", quiet=1)
    service = load(from_environment().cards_dir).services[_SERVICE]
    bodies = make_bodies(service)
    servers = [Server("service"), Server(FLOOR)]
    if postgresql:
        servers.insert(1, Server("service postgresql", url=postgresql))
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        started = {server.name: _fresh(server) for server in servers}
        measured = {body.name: measure(servers, body, rounds, seconds) for body in bodies}
        for server in servers:
            used = server.memory() if processes.HAS_PROC else {}
            started[server.name] |= {f"{kind} after": size for kind, size in used.items()}
    steps = {body.name: in_process.milliseconds(service, body, seconds) for body in bodies}
    more = _with_more_rules(service, bodies)
    if plots:
        _draw(plots, bodies, measured, more)
    if as_json:
        found = {"calls": measured, "servers": started, "steps": steps, "rules": more}
        click.echo(orjson.dumps(found))
        return
    console = Console()
    for server in servers:
        if server.name != FLOOR:
            console.print(_calls(server.name, bodies, measured))
    console.print(_servers(started), _steps(steps), _rules(more), sep="\n")


def measure(
    servers: list[Server], body: Body, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Microseconds a call of each server, batch by batch; the batches of a round are neighbours."""
    for server in servers:
        cards = orjson.loads(server.call(body))["cards"]
        if server.name != FLOOR and bool(cards) != body.fires:
            raise click.ClickException(f"{body.name}: {len(cards)} cards are not expected")
        server.microseconds(body, seconds / 4)  # warm
    batches: dict[str, list[float]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            batches[server.name].append(server.microseconds(body, seconds))
    return batches


def _fresh(server: Server) -> dict[str, float]:
    sizes = server.memory() if processes.HAS_PROC else {}
    return {"start_seconds": server.start_seconds, **sizes}


def _with_more_rules(service: CDSService, bodies: list[Body]) -> dict[str, list[float]]:
    """Milliseconds of an answer with more and more rules, by whether the record touches them."""
    firing = bodies[1]
    return {
        "touched by the record": rules.milliseconds(service, firing, touched=True),
        "not on record": rules.milliseconds(service, firing, touched=False),
    }


def _calls(name: str, bodies: list[Body], measured: Batches) -> Table:
    unit = "CPU a call, ms" if processes.HAS_PROC else "No /proc here: WAITING a call, ms"
    columns = ("bytes", name, FLOOR, "ms/MB", "ratio: min", "median", "max")
    table = Table("body", *columns, title=f"{unit}, median of the batches")
    for body in bodies:
        ours, least = measured[body.name][name], measured[body.name][FLOOR]
        ratios = [one / other for one, other in zip(ours, least, strict=True)]
        size = len(body.content)
        medians = (f"{median(each) / 1000:,.2f}" for each in (ours, least))
        table.add_row(
            body.name,
            f"{size:,}",
            *medians,
            f"{median(ours) * 1000 / size:.0f}",
            *(f"{each:.2f}" for each in (min(ratios), median(ratios), max(ratios))),
        )
    return table


def _servers(started: dict[str, dict[str, float]]) -> Table:
    columns = ("first answer, s", "PSS, MiB", "RSS, MiB", "PSS after", "RSS after")
    table = Table("server", *columns, title="Start, and memory of the worker before and after")
    for name, found in started.items():
        sizes = (found.get(kind) for kind in ("Pss", "Rss", "Pss after", "Rss after"))
        memory = (f"{size / 1024:.0f}" if size else "not known here" for size in sizes)
        table.add_row(name, f"{found['start_seconds']:.2f}", *memory)
    return table


def _steps(steps: dict[str, dict[str, float]]) -> Table:
    title = "Steps in process, CPU ms, median (decide: record, evaluate, and validation)"
    table = Table("body", *in_process.STEPS, "all above parsing", title=title)
    for name, found in steps.items():
        above = sum(found[step] for step in in_process.ABOVE_PARSING)
        columns = [*(found[step] for step in in_process.STEPS), above]
        table.add_row(name, *(f"{each:.2f}" for each in columns))
    return table


def _rules(more: dict[str, list[float]]) -> Table:
    names = (f"{times} times" for times in rules.TIMES)
    table = Table("rules", *names, "ratio", title="An answer with more rules, CPU ms")
    for name, found in more.items():
        table.add_row(name, *(f"{each:.2f}" for each in found), f"{found[-1] / found[0]:.2f}")
    return table


def _draw(
    folder: Path, bodies: list[Body], measured: Batches, more: dict[str, list[float]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    padded = [body for body in bodies if body.name.partition(",")[0] in SIZES]
    shown = {"silent": ("service", False), "firing": ("service", True), FLOOR: (FLOOR, False)}
    lines = {
        name: [
            (round(len(body.content) / 1e6, 3), median(measured[body.name][server]) / 1000)
            for body in padded
            if body.fires is fires
        ]
        for name, (server, fires) in shown.items()
    }
    by_size = plot("CPU a call by size", "size of the body, MB", "ms", lines)
    (folder / "by-size.svg").write_text(by_size, encoding="utf-8")
    many = {name: list(zip(rules.TIMES, found, strict=True)) for name, found in more.items()}
    by_rules = plot("CPU of an answer by rules", "times as many rules", "ms", many)
    (folder / "by-rules.svg").write_text(by_rules, encoding="utf-8")


if __name__ == "__main__":
    main()
