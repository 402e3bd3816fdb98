"""`cds-service why`, and `store migrate`, `prune`, `status` and `backup`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cds_service.cli import echo_json, settings_or_stop, stop
from cds_service.clock import now
from cds_service.errors import StartError, StoreUnavailable
from cds_service.settings import Settings
from cds_service.store import Store, counts, open_store, prune
from cds_service.store.backup import back_up
from cds_service.store.cards import why


@click.group("store")
def store_commands() -> None:
    """Maintain the store: feedback, traces, audit."""


@store_commands.command()
def migrate() -> None:
    """Bring the database to the newest schema; `serve` does it too."""
    with opened_store(settings_or_stop()):
        click.echo("the schema is current")


@store_commands.command("prune")
@click.option("--days", type=click.IntRange(1), help="Days to keep (default: CDS_RETENTION_DAYS).")
def prune_old(days: int | None) -> None:
    """Delete rows that are older than the retention period."""
    settings = settings_or_stop()
    today = now()
    kept = timedelta(days=days or settings.retention_days)
    with opened_store(settings) as store:
        for table, number in prune(store, before=today - kept, now=today).items():
            click.echo(f"{table}: {number} deleted")


@store_commands.command()
def status() -> None:
    """Count the rows of each table; exit code 1 if the database does not answer."""
    with opened_store(settings_or_stop()) as store:
        for table, number in counts(store).items():
            click.echo(f"{table}: {number}")


@store_commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Copy an embedded store and its key into a new FOLDER, while it is served."""
    try:
        copy = back_up(settings_or_stop().store_url.get_secret_value(), folder)
    except FileExistsError:
        stop(f"{folder} exists; name a new folder")
    except (StartError, OSError, sqlite3.Error) as error:
        stop(str(error))
    click.echo(f"copied to {copy}; keep the folder as patient data")


@click.command("why")
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def why_command(uuid: str, as_json: bool) -> None:
    """Why a card was shown: its rules, their facts, and what nearly applied."""
    with opened_store(settings_or_stop()) as store:
        card = why(store, uuid)
    if card is None:
        stop("there is no card with this uuid, or it is no longer stored")
    if as_json:
        echo_json(card)
    else:
        Console().print(_tree(card))


def _tree(card: Mapping[str, Any]) -> Tree:
    """The result of `why` as a tree for the terminal."""
    title = f"{card['indicator']} card in {card['slot']}, {card['state']} {card['at']}"
    root = Tree(Text(title, style="bold"))
    root.add(Text(f"{card['service']}, knowledge {card['knowledge']}"))
    if "suppressedBy" in card:
        root.add(Text(f"suppressed by: {card['suppressedBy']}"))
    _branch(root, "rules", [f"{r['id']} {r['version']}: {r['level']}" for r in card["rules"]])
    values = card.get("values", {})
    for state, names in card["facts"].items():
        facts = [f"{name} = {values[name]}" if name in values else name for name in names]
        _branch(root, f"facts {state}", facts)
    near = [f"{rule}: {', '.join(names)}" for rule, names in card["nearMisses"].items()]
    _branch(root, "could not be decided: these facts were missing", near)
    _branch(root, "feedback", [_line(answer) for answer in card["feedback"]])
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
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store, open for the length of the block. Stops if there is none or it does not answer."""
    try:
        store = open_store(settings.store_url.get_secret_value())
    except StartError as error:
        stop(str(error))
    if store is None:
        stop("CDS_STORE_URL: none: there is no store")
    try:
        store.migrate()
        yield store
    except StoreUnavailable:
        stop("CDS_STORE_URL: the database does not answer")
    finally:
        store.close()
