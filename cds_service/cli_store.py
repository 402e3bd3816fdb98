"""The command line of the store: why, and store migrate, prune, status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

import click
import orjson
from rich.console import Console

from cds_service import now
from cds_service.errors import StartError, StoreUnavailable
from cds_service.settings import Settings, from_environment
from cds_service.store import Store, counts, open_store, prune
from cds_service.traces import tree, why


@click.group("store")
def store_commands() -> None:
    """Look after what is kept: feedback, traces, audit."""


@store_commands.command()
def migrate() -> None:
    """Bring the database to the newest schema; `serve` does it too."""
    with _store(_settings()):
        click.echo("the schema is current")


@store_commands.command("prune")
@click.option("--days", type=click.IntRange(1), help="Keep so many (default: CDS_RETENTION_DAYS).")
def prune_old(days: int | None) -> None:
    """Delete what is older than the days of retention."""
    settings = _settings()
    today = now()
    kept = timedelta(days=days or settings.retention_days)
    with _store(settings) as store:
        for table, number in prune(store, before=today - kept, now=today).items():
            click.echo(f"{table}: {number} deleted")


@store_commands.command()
def status() -> None:
    """How many rows each table holds; ends with 1 if the database does not answer."""
    with _store(_settings()) as store:
        for table, number in counts(store).items():
            click.echo(f"{table}: {number}")


@click.command("why")
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a picture.")
def why_command(uuid: str, as_json: bool) -> None:
    """Why a card was there: its rules, the facts behind them, what nearly applied."""
    with _store(_settings()) as store:
        told = why(store, uuid)
    if told is None:
        stop("no such card is kept")
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(tree(told))


def _settings() -> Settings:
    try:
        return from_environment()
    except StartError as error:
        stop(str(error))


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """The store, which must be there and answer for as long as the block lasts."""
    try:
        store = open_store(settings.store_url)
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


def stop(message: str) -> NoReturn:
    """End with status 1 and a sentence."""
    click.echo(message, err=True)
    sys.exit(1)
