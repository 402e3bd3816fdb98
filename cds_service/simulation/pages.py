"""The result as files: a page with plots, a CSV file for each table, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from cds_service.html.standalone import rendered
from cds_service.report.figures import Rate
from cds_service.report.tables import to_csv
from cds_service.simulation.figures import Figures
from cds_service.simulation.plots import plots
from cds_service.simulation.results import OPENINGS, UNREADABLE
from cds_service.simulation.tables import tables

PAGE, JSON = "index.html", "figures.json"


@dataclass(frozen=True, slots=True)
class Study:
    """What the page says besides figures; `about` has the same as plain values for JSON."""

    title: str
    lead: str
    about: Mapping[str, Any]
    notices: Sequence[str] = ()
    is_compared: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


def write(out: Path, study: Study, figures: Figures) -> None:
    """Write the page, the tables and the JSON into a folder."""
    every = tables(figures)
    for name, table in every.items():
        (out / f"{name}.csv").write_text(to_csv(table), encoding="utf-8", newline="")
    body = dict(study.about) | {
        "patients": figures.patients,
        "openings": figures.openings,
        "cards": figures.cards,
        **{name: table.records() for name, table in every.items()},
    }
    (out / JSON).write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    said = {
        "study": study,
        "figures": figures,
        "tables": every,
        "plots": plots(figures),
        "of_100": of_100,
        "interval": interval,
    }
    (out / PAGE).write_text(rendered("simulation", "simulation.html", said), encoding="utf-8")


def files_of(figures: Figures) -> dict[str, str]:
    """The files beside the page, and what is in each."""
    return {
        **{f"{name}.csv": table.caption for name, table in tables(figures).items()},
        JSON: "all tables as JSON",
        OPENINGS: "every opening: the hash of its patient, its cards by rule, what lacked",
        UNREADABLE: "the hashes of the patients that cannot be read, each with the reason",
    }


def of_100(rate: Rate | None) -> str:
    """A share as a number out of 100, or a dash."""
    return "–" if rate is None else f"{rate.share * 100:.3g} of 100"


def interval(rate: Rate | None) -> str:
    """The interval of a share, or nothing."""
    return "" if rate is None else f"{rate.low * 100:.3g} to {rate.high * 100:.3g}"
