"""The figures as tables: the same rows on the page, in CSV and in JSON."""

from __future__ import annotations

from cds_service.report.figures import Rate
from cds_service.report.tables import Cell, Table, rate_cells
from cds_service.simulation.figures import Figures, GroupFigures, Part, RuleFigures

_INTERVAL = {"low": "95 % from", "high": "to"}


def tables(figures: Figures) -> dict[str, Table]:
    """Every table by its name; those without rows too."""
    every = (
        _rules(figures),
        _slots(figures),
        _groups(figures),
        _lacking(figures),
        _changes(figures),
        _rules_in_groups(figures),
        _unreadable(figures),
    )
    return {table.name: table for table in every}


def _per(whole: int, rate: Rate | None) -> tuple[Cell, Cell, Cell]:
    return rate_cells(rate, whole=whole, digits=2)


def _part(part: Part) -> tuple[Cell, ...]:
    return (
        part.openings,
        *_per(100, part.of_openings),
        part.patients,
        *_per(1000, part.of_patients),
    )


_PART = {
    "openings": "Openings",
    "per100Openings": "Per 100 openings",
    "per100OpeningsLow": "95 % from",
    "per100OpeningsHigh": "to",
    "patients": "Patients",
    "per1000Patients": "Per 1,000 patients",
    "per1000PatientsLow": "95 % from",
    "per1000PatientsHigh": "to",
}


def _rules(figures: Figures) -> Table:
    columns = {"rule": "Rule", "title": "Title", "version": "Version", **_PART} | {
        "interrupting": "Interrupts",
        "critical": "Critical",
        "warning": "Warning",
        "info": "Info",
        "other": "Causes, and what withholds",
    }
    return Table("rules", "Every rule and version", columns, list(map(_rule, figures.rules)))


def _rule(rule: RuleFigures) -> tuple[Cell, ...]:
    return (
        rule.rule,
        rule.title,
        rule.version,
        *_part(rule.part),
        rule.interrupting,
        *rule.levels.values(),
    )


def _slots(figures: Figures) -> Table:
    columns = {"slot": "Slot", "indicator": "Indicator", **_PART} | {
        "medianWords": "Words, median",
        "highWords": "90 % have at most",
        "mostWords": "Longest",
    }
    rows = [
        (
            slot.slot,
            slot.indicator,
            *_part(slot.part),
            slot.median_words,
            slot.high_words and round(slot.high_words, 1),
            slot.most_words,
        )
        for slot in figures.slots
    ]
    return Table("cardsBySlot", "Cards and their length", columns, rows)


def _groups(figures: Figures) -> Table:
    columns = {
        "value": "Group",
        "by": "By",
        "openings": "Openings",
        "patients": "Patients",
        "withCard": "With a card, of 100",
        "withCardLow": "95 % from",
        "withCardHigh": "to",
        "interrupting": "Interrupted, of 100",
        "interruptingLow": "95 % from",
        "interruptingHigh": "to",
    }
    return Table("groups", "By age, sex and year", columns, list(map(_group, figures.groups)))


def _group(group: GroupFigures) -> tuple[Cell, ...]:
    return (
        group.value,
        group.by,
        group.openings,
        group.patients,
        *_per(100, group.with_card),
        *_per(100, group.interrupting),
    )


def _rules_in_groups(figures: Figures) -> Table:
    columns = {
        "rule": "Rule",
        "version": "Version",
        "by": "By",
        "value": "Group",
        "openings": "Openings",
        "share": "Of 100 openings",
        **_INTERVAL,
    }
    rows = [
        (row.rule, row.version, row.by, row.value, row.openings, *_per(100, row.share))
        for row in figures.rules_in_groups
    ]
    return Table("rulesByGroup", "Every rule by age, sex and year", columns, rows)


def _lacking(figures: Figures) -> Table:
    columns = {
        "fact": "Fact",
        "state": "State",
        "openings": "Openings",
        "share": "Of 100 openings",
        **_INTERVAL,
        "withCard": "Of these, with a card",
    }
    rows = [
        (lack.fact, lack.state, lack.openings, *_per(100, lack.share), lack.with_card)
        for lack in figures.lacking
    ]
    return Table("lacking", "Facts that the record leaves open", columns, rows)


def _changes(figures: Figures) -> Table:
    columns = {
        "slot": "Slot",
        "service": "Service",
        "change": "Change",
        "was": "Was",
        "becomes": "Becomes",
        "because": "Because",
        "openings": "Openings",
        "patients": "Patients",
    }
    rows = [
        (
            change.slot,
            change.service,
            change.change,
            change.was,
            change.becomes,
            change.because,
            change.openings,
            change.patients,
        )
        for change in figures.changes
    ]
    return Table("changes", "What the older content does otherwise", columns, rows)


def _unreadable(figures: Figures) -> Table:
    columns = {"why": "Why", "patients": "Patients"}
    return Table(
        "unreadable", "Patients that cannot be read", columns, list(figures.unreadable.items())
    )
