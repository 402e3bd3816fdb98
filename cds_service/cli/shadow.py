"""`cds-service shadow`: a shadow period as figures and cases, like a simulation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from cds_service.cli import settings_or_stop, stop
from cds_service.cli.report import since_option
from cds_service.clock import now
from cds_service.current_knowledge import knowledge_of
from cds_service.errors import CDSError, StartError
from cds_service.report.catalogue import catalogue_of
from cds_service.store import open_store
from cds_service.store.figures import Period


@click.command()
@since_option
@click.option("--out", default=Path("shadow"), show_default=True, type=click.Path(path_type=Path))
@click.option("--review", default=0, type=click.IntRange(0, 2000), help="Cases for two reviewers.")
@click.option("--seed", default=1, show_default=True, type=int, help="Of the draw of the cases.")
def shadow(since: timedelta, out: Path, review: int, seed: int) -> None:
    """What the content said in shadow: the figures and cases of `simulate`, from stored traces."""
    try:
        from cds_service.simulation.traces import Shadow, evaluate_shadow
    except ImportError as error:
        stop(f"install the extra `simulate`, such as anxiety-cds-service[simulate]: {error}")
    settings, until = settings_or_stop(), now()
    try:
        store = open_store(settings.store_url.get_secret_value())
        if store is None:
            stop("CDS_STORE_URL: without a store there are no traces")
        try:
            catalogue = catalogue_of(knowledge_of(settings))
            wish = Shadow(Period(until - since, until, until), out.absolute(), review, seed)
            figures = evaluate_shadow(store, catalogue, wish)
        finally:
            store.close()
    except (CDSError, StartError) as error:
        stop(str(error))
    click.echo(f"{figures.openings:,} calls, {figures.cards:,} cards: {out / 'index.html'}")
