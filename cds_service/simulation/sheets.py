"""The sheet for reviewers: a printable page for each case, and a CSV file for each reviewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cds_service.errors import InvalidRequest
from cds_service.html.markdown import as_html
from cds_service.html.standalone import rendered
from cds_service.report.tables import Cell, Table, to_csv
from cds_service.simulation.agreement import (
    ASKED_OF_CARDS,
    ASKED_OF_CASES,
    NOT_ASKED,
    QUESTIONS,
    read,
)
from cds_service.simulation.cases import Case, CaseRule
from cds_service.simulation.sample import Drawn

FOLDER, CASES, KEY = "review", "cases.html", "key.csv"
REVIEWERS = ("reviewer-a.csv", "reviewer-b.csv")
# Rules that only withhold, or causes that were not listed, say nothing on the card.
_SILENT = frozenset({"withholds", "not-listed"})


def spare_answers(out: Path) -> None:
    """Raise InvalidRequest if a sheet of an earlier run has answers: they would be lost."""
    for path in (out / FOLDER / name for name in REVIEWERS):
        if path.exists() and any(
            answer is not None for row in read(path) for answer in row.answers.values()
        ):
            raise InvalidRequest(f"{path} has answers; move it away first")


def write(out: Path, cases: Sequence[Case], drawn: Sequence[Drawn]) -> None:
    """Write the cases, the two CSV files, and the key that says whose case it is, by hash."""
    folder = out / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    for name in REVIEWERS:
        (folder / name).write_text(to_csv(_sheet(cases)), encoding="utf-8", newline="")
    (folder / KEY).write_text(to_csv(_key(drawn)), encoding="utf-8", newline="")
    names = {"cases": cases, "as_html": as_html, "said": said}
    (folder / CASES).write_text(rendered("simulation", "cases.html", names), encoding="utf-8")


def said(rules: Iterable[CaseRule]) -> list[CaseRule]:
    """The rules that say something on a card."""
    return [rule for rule in rules if rule.level not in _SILENT]


def _sheet(cases: Sequence[Case]) -> Table:
    columns = {name: name for name in ("case", "card", "slot", "indicator", "rules", *QUESTIONS)}
    return Table("sheet", "Sheet", columns | {"comment": "comment"}, list(_rows(cases)))


def _rows(cases: Sequence[Case]) -> Iterable[Sequence[Cell]]:
    """A row for each card, and one for the case as a whole, which is card 0."""
    for case in cases:
        yield (case.number, 0, "", "", "", *_blanks(ASKED_OF_CASES), "")
        for number, card in enumerate(case.cards, start=1):
            rules = "; ".join(f"{rule.id} {rule.version}" for rule in said(card.rules))
            yield (
                case.number,
                number,
                card.slot,
                card.indicator,
                rules,
                *_blanks(ASKED_OF_CARDS),
                "",
            )


def _blanks(asked: Iterable[str]) -> Iterable[str]:
    return ("" if question in asked else NOT_ASKED for question in QUESTIONS)


def _key(drawn: Sequence[Drawn]) -> Table:
    columns = {name: name for name in ("case", "patient", "opened", "stratum", "openingsOfStratum")}
    rows = [
        (number, each.patient, each.opened.isoformat(), each.stratum, each.openings)
        for number, each in enumerate(drawn, start=1)
    ]
    return Table("key", "Key", columns, rows)
