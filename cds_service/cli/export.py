"""`cds-service export`: the content as FHIR artifacts."""

from __future__ import annotations

import re
from pathlib import Path

import click

from cds_service.cli import echo_json, settings_or_stop, stop
from cds_service.cli.knowledge import as_json_option
from cds_service.cli.watching import waiting
from cds_service.errors import KnowledgeError
from cds_service.fhir_export.artifacts import artifacts, write
from cds_service.fhir_export.metadata import Publication
from cds_service.knowledge import load
from cds_service.wire.hooks import TOKENS

_ADDRESS = re.compile(r"https?://[^\s|#?]+")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--canonical",
    default="https://example.org",
    show_default=True,
    help="The start of the addresses of the artifacts.",
)
@click.option("--publisher", default="Not published", show_default=True, help="Who publishes them.")
@as_json_option
def export(folder: Path, canonical: str, publisher: str, as_json: bool) -> None:
    """Write the content into FOLDER as FHIR R4 artifacts with CRMI shareable metadata.

    PlanDefinitions of rules and causes, a Library of facts and sources, ActivityDefinitions of
    measures and suggestions, ValueSets. They are to be read and catalogued, not to be run. Files
    that are there already are replaced; none is removed.
    """
    settings = settings_or_stop()
    if not _ADDRESS.fullmatch(canonical):
        stop(f"--canonical: {canonical} is no address such as https://example.org/fhir", status=2)
    if not publisher.strip():
        stop("--publisher: name who publishes the artifacts", status=2)
    try:
        with waiting("Writing"):
            knowledge = load(settings.cards_dir, hooks=TOKENS)
            publication = Publication(canonical.rstrip("/"), publisher.strip())
            counts = write(folder, artifacts(knowledge, publication))
    except KnowledgeError as error:
        stop(f"{error.problems[0]}\nMend this first: `cds-service check` lists all problems.")
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")
    if as_json:
        body = {"folder": str(folder), "knowledge": knowledge.version, "artifacts": counts}
        echo_json(body)
        return
    for type_, count in counts.items():
        click.echo(f"{count:>5} {type_}")
    click.echo(f"of content {knowledge.version} in {folder}")
