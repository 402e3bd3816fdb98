"""The command line of the store: why, and store migrate, prune, status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cds_service.cli import settings_or_stop, stop
from cds_service.clock import now
from cds_service.errors import StartError, StoreUnavailable
from cds_service.settings import Settings
from cds_service.store import Store, counts, open_store, prune
from cds_service.store.cards import why


@click.group("store")
def store_commands() -> None:
    """Look after what is kept: feedback, traces, audit."""


@store_commands.command()
def migrate() -> None:
    """Bring the database to the newest schema; `serve` does it too."""
    with _store(settings_or_stop()):
        click.echo("the schema is current")


@store_commands.command("prune")
@click.option("--days", type=click.IntRange(1), help="Keep so many (default: CDS_RETENTION_DAYS).")
def prune_old(days: int | None) -> None:
    """Delete what is older than the days of retention."""
    settings = settings_or_stop()
    today = now()
    kept = timedelta(days=days or settings.retention_days)
    with _store(settings) as store:
        for table, number in prune(store, before=today - kept, now=today).items():
            click.echo(f"{table}: {number} deleted")


@store_commands.command()
def status() -> None:
    """How many rows each table holds; ends with 1 if the database does not answer."""
    with _store(settings_or_stop()) as store:
        for table, number in counts(store).items():
            click.echo(f"{table}: {number}")


@click.command("why")
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a picture.")
def why_command(uuid: str, as_json: bool) -> None:
    """Why a card was there: its rules, the facts behind them, what nearly applied."""
    with _store(settings_or_stop()) as store:
        told = why(store, uuid)
    if told is None:
        stop("no such card is kept")
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(_tree(told))


def _tree(told: Mapping[str, Any]) -> Tree:
    """What `why` tells, for the terminal."""
    title = f"{told['indicator']} card in {told['slot']}, {told['state']} {told['at']}"
    root = Tree(Text(title, style="bold"))
    root.add(Text(f"{told['service']}, knowledge {told['knowledge']}"))
    if "suppressedBy" in told:
        root.add(Text(f"suppressed by: {told['suppressedBy']}"))
    _branch(root, "rules", [f"{r['id']} {r['version']}: {r['level']}" for r in told["rules"]])
    values = told.get("values", {})
    for state, names in told["facts"].items():
        facts = [f"{name} = {values[name]}" if name in values else name for name in names]
        _branch(root, f"facts {state}", facts)
    near = [f"{rule}: {', '.join(names)}" for rule, names in told["nearMisses"].items()]
    _branch(root, "could not be decided: these facts were missing", near)
    _branch(root, "feedback", [_line(each) for each in told["feedback"]])
    return root


def _line(answer: Mapping[str, Any]) -> str:
    reason = f": {answer['reason']}" if "reason" in answer else ""
    return f"{answer['outcome']} {answer['outcomeTimestamp']}{reason}"


def _branch(root: Tree, title: str, lines: Sequence[str]) -> None:
    if lines:
        branch = root.add(Text(title, style="bold"))
        for line in lines:
            branch.add(Text(line))


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """The store, which must be there and answer for as long as the block lasts."""
    try:
        store = open_store(settings.store_url.get_secret_value())
    except StartError as error:
        stop(str(error))
    if store is None:
        stop("CDS_STORE_URL: none: nothing is kept")
    try:
        store.migrate()
        yield store
    except StoreUnavailable:
        stop("CDS_STORE_URL: the database does not answer")
    finally:
        store.close()
