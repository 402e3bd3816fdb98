"""A shadow period as rows of openings, from the traces that the store keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import orjson

from cds_service.knowledge.facts.kind import PRESENT
from cds_service.report.catalogue import Catalogue
from cds_service.simulation import pages, results, sheets
from cds_service.simulation.cases import Case, CaseCard, CaseFact, CaseRule
from cds_service.simulation.evaluating import Row
from cds_service.simulation.figures import Figures, figures_of
from cds_service.simulation.pages import Study
from cds_service.simulation.sample import Drawn, draw
from cds_service.store import Store
from cds_service.store.figures import Period
from cds_service.store.traces import (
    TracedCard,
    answered_calls,
    modes,
    shadow_call,
    shadow_calls,
)

_MEMORY = "512MB"
UNDECIDED = "undecided"  # a rule could not be decided without the fact
_NOT_STORED = (
    "Drawn from stored traces. The store keeps no text, age, sex or date of the record, so these"
    " figures have none; facts are told only where a card or a near miss rests on them."
)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A shadow period, and what is wished of it; `review` is the number of cases, or 0."""

    period: Period
    out: Path
    review: int
    seed: int


def evaluate_shadow(store: Store, catalogue: Catalogue, shadow: Shadow) -> Figures:
    """Write the result of a shadow period into a folder, as a simulation does.

    Raises StoreUnavailable, and InvalidRequest if a sheet of an earlier run has answers.
    """
    out = shadow.out
    sheets.spare_answers(out)
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = work / "traces.ndjson"
    notices = [_NOT_STORED, *_keep(store, catalogue, shadow.period, path)]
    results.keep(work, out, work / "overflow", memory=_MEMORY)
    path.unlink()
    with results.opened(out, work / "overflow", memory=_MEMORY) as database:
        figures = figures_of(database, catalogue.titles)
        if shadow.review:
            drawn = draw(database, shadow.review, shadow.seed)
            cases = list(_cases(store, catalogue, drawn))
            sheets.write(out, cases, drawn)
            notices.append(
                "The sample has no case without a card: nothing is stored about those charts."
            )
    work.rmdir()
    pages.write(out, _study(catalogue, shadow, figures, notices), figures)
    return figures


def _keep(store: Store, catalogue: Catalogue, period: Period, path: Path) -> list[str]:
    """Write a row for every answered call. Gives what is to be said about them."""
    with store.reading() as connection, path.open("wb") as file:
        known = modes(connection, period)
        mode = "shadow" if known.get("shadow") else "live"
        calls = Counter(
            at.date() for at in answered_calls(connection, period, catalogue.hooks, mode)
        )
        for cards in shadow_calls(connection, period):
            calls[cards[0].at.date()] -= 1
            file.write(orjson.dumps(row_of(cards), option=orjson.OPT_APPEND_NEWLINE))
        for day, silent in sorted(calls.items()):
            row = orjson.dumps(_silent(day), option=orjson.OPT_APPEND_NEWLINE)
            file.writelines([row] * max(0, silent))
        if not file.tell():  # a file without rows cannot be read
            file.write(b'{"patient": null}\n')
    said = []
    if mode == "live":
        said.append("No call came in shadow mode: these are the cards of shadow rules alone.")
    elif known.get("live"):
        said.append(f"{known['live']:,} calls of this time came in live mode and are left out.")
    if any(silent < 0 for silent in calls.values()):
        said.append(
            "The audit has fewer calls than there are calls with a card, so shares are too high."
        )
    return said


def row_of(cards: Sequence[TracedCard]) -> Row:
    """The row of one call, like that of a simulated opening."""
    first = cards[0]
    lacking: dict[tuple[str, str], set[str]] = {}
    for card in cards:
        facts: Mapping[str, Sequence[str]] = card.trace.get("facts", {})
        for state, names in facts.items():
            if state != PRESENT:
                lacking.setdefault((card.service, state), set()).update(names)
        near: Mapping[str, Sequence[str]] = card.trace.get("nearMisses", {})
        for names in near.values():
            lacking.setdefault((card.service, UNDECIDED), set()).update(names)
    return _silent(first.at.date()) | {
        "patient": first.patient,
        "instant": first.at.isoformat(),
        "cards": [_card(card) for card in cards],
        "lacking": [
            {"service": service, "state": state, "facts": sorted(names)}
            for (service, state), names in sorted(lacking.items())
            if names
        ],
    }


def _silent(day: date) -> Row:
    return {"opened": day.isoformat(), "cards": [], "lacking": [], "changes": []}


def _card(card: TracedCard) -> Row:
    rules = [dict(rule) | {"id": f"{card.service}/{rule['id']}"} for rule in card.rules]
    return {
        "service": card.service,
        "slot": card.slot,
        "indicator": card.indicator,
        "rules": rules,
    }


def _cases(store: Store, catalogue: Catalogue, drawn: Sequence[Drawn]) -> Iterable[Case]:
    with store.reading() as connection:
        for number, each in enumerate(drawn, start=1):
            cards = shadow_call(connection, each.patient, each.moment)
            yield case_of_traces(number, cards, catalogue.titles)


def case_of_traces(number: int, cards: Sequence[TracedCard], titles: Mapping[str, str]) -> Case:
    """A case as far as its traces tell it: names of rules and facts, and values if stored."""
    facts: dict[str, str] = {}
    gaps: dict[str, list[str]] = {}
    for card in cards:
        values = card.trace.get("values", {})
        for state, names in card.trace.get("facts", {}).items():
            if state == PRESENT:
                facts |= {name: str(values.get(name, "on record")) for name in names}
            else:
                gaps.setdefault(state, []).extend(names)
    return Case(
        number=number,
        about=f"chart opened {cards[0].at:%Y-%m-%d}",
        cards=[
            CaseCard(card.slot, card.indicator, [_rule(card, rule, titles) for rule in card.rules])
            for card in cards
        ],
        facts=[CaseFact(name, says, "") for name, says in sorted(facts.items())],
        left_open={state: sorted(set(names)) for state, names in sorted(gaps.items())},
    )


def _rule(card: TracedCard, rule: Mapping[str, str], titles: Mapping[str, str]) -> CaseRule:
    id_ = f"{card.service}/{rule['id']}"
    return CaseRule(id_, titles.get(id_, ""), rule["version"], rule["level"])


def _study(catalogue: Catalogue, shadow: Shadow, figures: Figures, notices: Sequence[str]) -> Study:
    since, until = shadow.period.since.date(), shadow.period.until.date()
    return Study(
        title="What the content said in shadow",
        lead=f"Calls from {since} to {until}. Content now: {catalogue.version}.",
        about={
            "knowledgeVersion": catalogue.version,
            "since": shadow.period.since.isoformat(),
            "until": shadow.period.until.isoformat(),
            "notices": list(notices),
        },
        notices=notices,
        files=pages.files_of(figures),
    )
