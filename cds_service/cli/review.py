"""`cds-service review`: what two reviewers answered about the cases of a simulation."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from cds_service.cli import echo_json, stop
from cds_service.cli.report import as_rich
from cds_service.errors import CDSError
from cds_service.report.tables import to_csv
from cds_service.simulation.agreement import compare, read
from cds_service.simulation.review_tables import TABLES, tables

_sheet = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("first", metavar="A.csv", type=_sheet)
@click.argument("second", metavar="B.csv", type=_sheet)
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option(
    "--table", "name", type=click.Choice(TABLES), default="rules", help="The table for CSV."
)
def review(first: Path, second: Path, form: str, name: str) -> None:
    """How far two reviewers agree, how often the cards of each rule were right, and what to talk
    about. The files are those of `simulate --review`, filled in."""
    try:
        found = compare(read(first), read(second))
    except CDSError as error:
        stop(str(error))
    made = tables(found)
    if form == "json":
        body = {table.name: table.records() for table in made.values()}
        echo_json(body | {"unanswered": found.unanswered})
    elif form == "csv":
        click.echo(to_csv(made[name]), nl=False)
    else:
        console = Console()
        for table in made.values():
            console.print(as_rich(table) if table.rows else f"{table.caption}: nothing.")
        if found.unanswered:
            console.print(f"{found.unanswered} answers are not given by one or both.")
