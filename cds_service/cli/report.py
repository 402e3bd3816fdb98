"""`cds-service report`: how clinicians answered the cards, in the terminal or as a file."""

from __future__ import annotations

from datetime import timedelta

import click
from rich.console import Console
from rich.table import Table as RichTable

from cds_service.cli import stop
from cds_service.clock import now
from cds_service.current_knowledge import knowledge_of
from cds_service.environment import from_environment
from cds_service.errors import CDSError, StartError
from cds_service.report.catalogue import catalogue_of
from cds_service.report.counting import read_since, report
from cds_service.report.figures import Rate, Report
from cds_service.report.tables import TABLES, Table, tables, to_csv, to_json
from cds_service.store import open_store


def _length(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    try:
        return read_since(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from error


since_option = click.option(
    "--since",
    default="30d",
    show_default=True,
    callback=_length,
    help="How far back: 12h, 30d, 4w.",
)


@click.command("report")
@since_option
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option(
    "--table", "name", type=click.Choice(TABLES), default="rules", help="The table for CSV."
)
def report_command(since: timedelta, form: str, name: str) -> None:
    """How clinicians answered the cards, by rule: shown, accepted, overridden and why, ignored."""
    try:
        figures = _report(since)
    except (StartError, CDSError) as error:
        stop(str(error))
    if form == "json":
        click.echo(to_json(figures))
    elif form == "csv":
        click.echo(to_csv(tables(figures)[name]), nl=False)
    else:
        _print(Console(), figures)


def _report(length: timedelta) -> Report:
    settings = from_environment()
    store = open_store(settings.store_url.get_secret_value())
    if store is None:
        raise StartError("CDS_STORE_URL: without a store there is nothing to report")
    try:
        catalogue = catalogue_of(knowledge_of(settings))
        return report(store, catalogue, settings, now(), length)
    finally:
        store.close()


def _print(console: Console, figures: Report) -> None:
    console.print(
        f"{figures.since:%Y-%m-%d} to {figures.until:%Y-%m-%d}: {figures.calls} calls,"
        f" {figures.shown} cards shown, {_percent(figures.silence_rate)} of calls without a card,"
        f" {_percent(figures.override_rate)} of answers were overrides; mode {figures.mode}"
    )
    for table in tables(figures).values():
        if table.rows and table.name != "days":
            console.print(as_rich(table))


def as_rich(table: Table) -> RichTable:
    """A table for the terminal."""
    rich = RichTable(*table.columns.values(), title=table.caption, title_justify="left")
    for row in table.rows:
        rich.add_row(*("" if cell is None else str(cell) for cell in row))
    return rich


def _percent(rate: Rate | None) -> str:
    return "no part" if rate is None else f"{rate.share:.0%}"
