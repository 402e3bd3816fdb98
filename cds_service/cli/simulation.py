"""`cds-service simulate`: the cards of a whole population, as figures."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cds_service.cli import settings_or_stop, stop
from cds_service.clock import now
from cds_service.errors import CDSError, StartError
from cds_service.settings import STATELESS
from cds_service.store.pseudonyms import Origin, pseudonyms_of

_DAY = "%Y-%m-%d"
_HERE = Path("simulation")
_MEMORY = re.compile(r"[1-9][0-9]{0,5}(MB|GB)")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Patients a second."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} a second" if speed else "")


def _checked(context: click.Context, option: click.Parameter, text: str) -> str:
    if not _MEMORY.fullmatch(text):
        raise click.BadParameter("expected a number of MB or GB, such as 500MB", context, option)
    return text


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of older content: whose cards appear, vanish or change.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--scheduler", metavar="tcp://...", help="A Dask cluster, instead of processes.")
@click.option("--out", default=_HERE, show_default=True, type=click.Path(path_type=Path))
@click.option("--today", type=click.DateTime([_DAY]), help="The last day (default: today).")
@click.option("--since", type=click.DateTime([_DAY]), help="Leave out earlier encounters.")
@click.option("--language", default=None, help="Language of the cards (default: en).")
@click.option("--review", default=0, type=click.IntRange(0, 2000), help="Cases for two reviewers.")
@click.option("--seed", default=1, show_default=True, type=int, help="Of the draw of the cases.")
@click.option(
    "--memory",
    default="1GB",
    show_default=True,
    callback=_checked,
    help="Bound of memory for grouping, such as 500MB or 8GB.",
)
def simulate(
    paths: tuple[str, ...],
    against: Path | None,
    workers: int,
    scheduler: str | None,
    out: Path,
    today: datetime | None,
    since: datetime | None,
    language: str | None,
    review: int,
    seed: int,
    memory: str,
) -> None:
    """The cards of a population: Bulk FHIR NDJSON or Bundles in files, folders, s3://, az://, gs://.

    A run that was stopped goes on where it was, if it is started again in the same way.
    """
    try:
        from cds_service.simulation.sources import sources_of
        from cds_service.simulation.study import Simulation, Wish
    except ImportError as error:
        stop(f"install the extra `simulate`, such as anxiety-cds-service[simulate]: {error}")
    settings = settings_or_stop()
    if settings.store_url.get_secret_value() == STATELESS and not settings.hash_key:
        stop(
            "CDS_HASH_KEY: needed without a store, so that a patient has the same hash again",
            status=2,
        )
    wish = Wish(
        out=out.absolute(),
        against=against and against.absolute(),
        language=language or settings.language,
        today=(today or now()).date(),
        since=since and since.date(),
        workers=workers,
        scheduler=scheduler,
        memory=memory,
        review=review,
        seed=seed,
    )
    console = Console(stderr=True)
    try:
        pseudonyms = pseudonyms_of(settings)
        sources = sources_of(paths)
        simulation = Simulation(
            wish, settings, sources, lambda id_: pseudonyms.patient(Origin(), id_)
        )
        with console.status(f"Grouping {len(sources.files)} files by patient"):
            population = simulation.group()
        simulation.check()
        with Progress(
            TextColumn("Patients"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
        ) as bar:
            task = bar.add_task("", total=sum(population.patients), completed=simulation.done)
            for part in simulation.run():
                bar.advance(task, part.patients)
        with console.status("Counting"):
            figures = simulation.finish()
        simulation.clean()
    except (CDSError, StartError) as error:
        stop(str(error))
    except OSError as error:
        stop(f"{error.filename or out}: {error.strerror}")
    click.echo(
        f"{figures.patients:,} patients, {figures.openings:,} openings, {figures.cards:,} cards,"
        f" {sum(figures.unreadable.values()):,} patients that cannot be read: {out / 'index.html'}"
    )
    for why, patients in figures.unreadable.items():
        click.echo(f"not read: {patients:,} patients, {why}")
