"""`cds-service diff`: whose cards differ between two versions of the content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cds_service.authoring.differences import Difference, MakeCall, differences, rows
from cds_service.cli import echo_json, stop
from cds_service.cli.charts import Chart, read_chart
from cds_service.cli.knowledge import as_json_option, at, today_option
from cds_service.errors import CDSError, KnowledgeError
from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.knowledge.call import Call
from cds_service.wire.hooks import TOKENS

_MOST_REASONS = 3  # in the table; JSON and the page have all
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("diff")
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="FILES...",
    type=click.Path(exists=True, path_type=Path),
)
@today_option
@click.option("--language", help="Language of the cards (default: that of each service).")
@as_json_option
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to this file."
)
def diff(
    old: Path,
    new: Path,
    paths: tuple[Path, ...],
    today: datetime | None,
    language: str | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Whose cards differ between the folders of content OLD and NEW.

    FILES are patients: CDS Hooks requests, R4 Bundles or NDJSON; a folder stands for the files in
    it. Status 0: nobody's cards differ; 1: somebody's do; 2: something could not be read.
    """
    before, after = _knowledge(old), _knowledge(new)
    moment = at(today)
    patients = _patients(paths, moment, language)
    found: list[Difference] = []
    with _progress(len(patients)) as step:
        for _, each in differences(before, after, patients):
            found += each
            step()
    if html:
        from cds_service.authoring.pages import page  # late: only the page needs templates

        titles = (f"{old.name} ({before.version})", f"{new.name} ({after.version})")
        text = page(titles, found, len(patients), today=f"{moment:%Y-%m-%d}")
        html.write_text(text, encoding="utf-8")
    if as_json:
        body = {"patients": len(patients), "changes": list(rows(found))}
        echo_json(body)
    else:
        _print(found, len(patients))
    if any(each.trouble for each in found):
        raise SystemExit(2)
    raise SystemExit(1 if found else 0)


def _knowledge(folder: Path) -> Knowledge:
    try:
        return load(folder, hooks=TOKENS)
    except KnowledgeError as error:
        message = f"{folder}: {len(error.problems)} problems, such as {error.problems[0]}"
        stop(f"{message}. Run `cds-service check` on it.", status=2)


def _patients(
    paths: tuple[Path, ...], moment: datetime, language: str | None
) -> dict[str, MakeCall]:
    files = [file for path in paths for file in (_files(path) if path.is_dir() else [path])]
    patients: dict[str, MakeCall] = {}
    for file in files:
        try:
            chart = read_chart(file)
        except CDSError as error:
            stop(f"{file.name}: {error}", status=2)
        name = file.stem if file.stem not in patients else str(file)
        patients[name] = partial(_call, chart, moment, language)
    if not patients:
        stop("there is no .json or .ndjson file in these folders", status=2)
    return patients


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".ndjson"))


def _call(chart: Chart, moment: datetime, language: str | None, service: CDSService) -> Call | None:
    if service.hook != chart.hook:
        return None
    spoken = language if language in service.languages else service.default_language
    return chart.call(service, moment, str(spoken))


@contextmanager
def _progress(total: int) -> Iterator[partial[None]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield partial(progress.advance, progress.add_task("Patients", total=total))


def _print(found: list[Difference], patients: int) -> None:
    changed = len({each.patient for each in found if each.changes})
    if found:
        table = Table("patient", "change", "card", "why", expand=False)
        table.columns[0].overflow = table.columns[3].overflow = "fold"
        for row in rows(found):
            was, becomes = row.get("was"), row.get("becomes")
            level = was if was == becomes else f"{was} → {becomes}"
            text = row.get("after") or row.get("before") or ""
            card = f"{row['slot']}, {level}: {text}" if "slot" in row else row["service"]
            table.add_row(row["patient"], row["change"], card, _few(row["because"]))
        Console().print(table)
    click.echo(f"{changed} of {patients} patients get other cards.")


def _few(reasons: list[str]) -> str:
    more = len(reasons) - _MOST_REASONS
    return "\n".join(reasons[:_MOST_REASONS] + ([f"and {more} more"] if more > 0 else []))
