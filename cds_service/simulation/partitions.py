"""One part of the work: the patients of one partition, evaluated and kept as a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import SecretStr

from cds_service import __version__
from cds_service.current_knowledge import switched
from cds_service.knowledge import Knowledge, load
from cds_service.settings import Settings
from cds_service.simulation.evaluating import Content, PatientUnreadable, Row, rows_of
from cds_service.simulation.patients import Record, records
from cds_service.wire.hooks import TOKENS

HOOK = "patient-view"  # an opened chart
MEMORY = "256MB"  # of DuckDB in each process
_FORMAT = 2  # of the files of this module


@dataclass(frozen=True, slots=True)
class Plan:
    """What every part of the work needs, on whatever machine it is done.

    `patients` is the folder with the partitions, `results` the one for their files; `settings` have
    no secrets.
    """

    patients: Path
    results: Path
    settings: Settings
    against: Path | None
    language: str
    today: date
    since: date | None
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """One partition is done: how many patients it has."""

    partition: int
    patients: int


def without_secrets(settings: Settings) -> Settings:
    """The settings as they may go to another process or machine: secrets have their defaults, and
    the folder of the content its whole path."""
    defaults = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, SecretStr)
    }
    return settings.model_copy(update={**defaults, "cards_dir": settings.cards_dir.absolute()})


def identity(settings: Settings, *others: object) -> str:
    """A name for everything that a result depends on: content, settings, version, and the rest."""
    content = digest_of(settings.cards_dir)
    parts = [_FORMAT, __version__, without_secrets(settings), content, *others]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def digest_of(folder: Path) -> str:
    """A hash over the names and the content of every file of a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return total.hexdigest()


def is_done(plan: Plan, partition: int) -> bool:
    """Whether the file of a partition is there. It is there as a whole or not at all."""
    return _file(plan, partition).is_file()


def evaluate_partition(plan: Plan, partition: int) -> Progress:
    """Evaluate every patient of a partition, in the order of their hashes, and keep the rows.

    A patient that cannot be read has one row with its hash and why.
    """
    content = content_of(plan)
    path = _file(plan, partition)
    draft, patients = path.with_suffix(".draft"), 0
    with draft.open("wb") as file:
        for record in records(plan.patients, partition, memory=MEMORY):
            patients += 1
            for row in _rows(record, content):
                _write(file, row)
    draft.rename(path)
    return Progress(partition, patients)


def _rows(record: Record, content: Content) -> Iterable[Row]:
    try:
        rows = list(rows_of(record, content))
    except PatientUnreadable as error:
        return [{"patient": record.patient, "unreadable": str(error)}]
    except Exception as error:  # whatever is strange about one patient, the others are evaluated
        return [{"patient": record.patient, "unreadable": type(error).__name__}]
    return rows or [{"patient": record.patient}]


def knowledge_of_plan(plan: Plan) -> Knowledge:
    """The content that is simulated. Raises StartError."""
    return _knowledge(plan.settings)


@lru_cache(maxsize=2)
def content_of(plan: Plan) -> Content:
    """The content of a plan, loaded once in each process. Raises StartError."""
    older = _older(plan.against, plan.settings).services if plan.against else {}
    services = knowledge_of_plan(plan).services.values()
    return Content(
        services=[service for service in services if service.hook == HOOK],
        older=older,
        types=frozenset(plan.types),
        absent=frozenset(plan.settings.absent_lists),
        language=plan.language,
        today=plan.today,
        since=plan.since,
        most_resources=plan.settings.max_resources,
    )


@lru_cache(maxsize=2)
def _knowledge(settings: Settings) -> Knowledge:
    return switched(load(settings.cards_dir, hooks=TOKENS), settings)


def _older(folder: Path, settings: Settings) -> Knowledge:
    """The older content, with the switches that it has rules for."""
    knowledge = load(folder, hooks=TOKENS)
    known = {rule.id for service in knowledge.services.values() for rule in service.rules}

    def kept(rules: Iterable[str]) -> tuple[str, ...]:
        return tuple(rule for rule in rules if rule.rpartition("/")[2] in known)

    update: dict[str, Any] = {
        "disabled_rules": kept(settings.disabled_rules),
        "shadow_rules": kept(settings.shadow_rules),
    }
    return switched(knowledge, settings.model_copy(update=update))


def _write(file: IO[bytes], row: Row) -> None:
    file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS))


def _file(plan: Plan, partition: int) -> Path:
    return plan.results / f"{partition:04}.ndjson"
