"""The report as tables: the same rows on the page, in the terminal, in CSV and in JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cds_service.report.figures import DayFigures, Rate, Report, RuleFigures
from cds_service.store.figures import Complaint

Cell = str | int | float | None
_BECAME = ("accepted", "overridden", "ignored", "waiting", "suppressed", "shadow")
# Text that starts like this is a formula for a spreadsheet (OWASP, "CSV Injection").
_FORMULA = re.compile(r"[=+\-@\t\r\n]")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values. `columns` maps the names in JSON and CSV to headings for people; the
    first column says what the row is about."""

    name: str
    caption: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Cell]]

    def records(self) -> list[dict[str, Cell]]:
        """The rows as JSON objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def tables(report: Report) -> dict[str, Table]:
    """Every table of a report by its name, which is in TABLES."""
    all_tables = (
        _rules(report),
        _fixed_rules(report),
        _reasons(report),
        _days(report),
        _clients(report),
        _complaints(report, "ruleWrong", "Cards reported for a wrong rule", report.rule_wrong),
        _complaints(report, "dataWrong", "Cards reported for wrong data", report.data_wrong),
    )
    return {table.name: table for table in all_tables}


TABLES = ("rules", "fixedRules", "reasons", "days", "clients", "ruleWrong", "dataWrong")


def to_csv(table: Table) -> str:
    """A table as CSV (RFC 4180), with no cell that a spreadsheet would run as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def to_json(report: Report) -> bytes:
    """The whole report as JSON; times in ISO 8601, rates from 0 to 100."""
    body: dict[str, Any] = {
        "since": report.since,
        "until": report.until,
        "knowledgeVersion": report.knowledge_version,
        "mode": report.mode,
        "overrideThreshold": report.threshold,
        "calls": report.calls,
        "cardsShown": report.shown,
        "cardsPerCall": None if report.cards_per_call is None else round(report.cards_per_call, 3),
        "silenceRate": _rate(report.silence_rate),
        "overrideRate": _rate(report.override_rate),
    }
    body |= {name: table.records() for name, table in tables(report).items()}
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)


def rate_cells(rate: Rate | None, *, whole: int = 100, digits: int = 1) -> tuple[Cell, Cell, Cell]:
    """A share and its interval as numbers out of `whole`, such as percent; None without a rate."""
    if rate is None:
        return None, None, None
    share, low, high = (round(each * whole, digits) for each in (rate.share, rate.low, rate.high))
    return share, low, high


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _rate(rate: Rate | None) -> dict[str, Cell] | None:
    if rate is None:
        return None
    return dict(zip(("percent", "low", "high"), rate_cells(rate), strict=True))


_OF_RULES = {
    "rule": "Rule",
    "title": "Title",
    "version": "Version",
    "flag": "To review",
    "shown": "Shown",
    "accepted": "Accepted",
    "overridden": "Overridden",
    "overrideRate": "Overridden, %",
    "overrideRateLow": "95 % from",
    "overrideRateHigh": "to",
    "ignored": "Not answered",
    "waiting": "No answer yet",
    "suppressed": "Not repeated",
    "shadow": "Not sent",
    "switch": "Switch",
}


def _rules(report: Report) -> Table:
    caption = "Every rule that depends on the record, by version"
    return Table("rules", caption, _OF_RULES, [_rule(rule) for rule in report.clinical])


def _fixed_rules(report: Report) -> Table:
    caption = "Lines that stand on cards whatever the record says"
    return Table("fixedRules", caption, _OF_RULES, [_rule(rule) for rule in report.fixed])


def _rule(rule: RuleFigures) -> Sequence[Cell]:
    return (
        rule.rule,
        rule.title,
        rule.version,
        rule.flag,
        rule.shown,
        rule.accepted,
        rule.overridden,
        *rate_cells(rule.override_rate),
        rule.ignored,
        rule.waiting,
        rule.suppressed,
        rule.shadow,
        rule.switch,
    )


def _reasons(report: Report) -> Table:
    columns = {
        "rule": "Rule",
        "title": "Title",
        "version": "Version",
        "reason": "Code",
        "words": "Reason",
        "cards": "Cards",
    }
    rows = [
        (rule.rule, rule.title, rule.version, reason, report.reasons.get(reason, reason), cards)
        for rule in report.clinical
        for reason, cards in rule.reasons.items()
    ]
    return Table("reasons", "Why cards were overridden", columns, rows)


def _days(report: Report) -> Table:
    """The days on which anything happened."""
    columns = {
        "day": "Day (UTC)",
        "calls": "Calls",
        "silent": "Calls without a card",
        "shown": "Cards shown",
        "accepted": "Accepted",
        "overridden": "Overridden",
        "ignored": "Not answered",
        "waiting": "No answer yet",
        "suppressed": "Not repeated",
        "shadow": "Not sent",
    }
    rows = [_day(day) for day in report.days if day.calls or day.became]
    return Table("days", "Days with calls or cards", columns, rows)


def _day(day: DayFigures) -> Sequence[Cell]:
    became = (day.became.get(outcome, 0) for outcome in _BECAME)
    return (day.day, day.calls, day.silent, day.shown, *became)


def _clients(report: Report) -> Table:
    columns = {
        "client": "Client and tenant",
        "calls": "Calls answered",
        "refused": "Refused",
        "silent": "Calls without a card",
        "cards": "Cards sent",
    }
    rows = [
        (each.client or "not asked", each.calls, each.refused, each.silent, each.cards)
        for each in report.clients
    ]
    return Table("clients", "Calls by client", columns, rows)


def _complaints(report: Report, name: str, caption: str, cards: Sequence[Complaint]) -> Table:
    columns = {"card": "Card", "at": "Time (UTC)", "rules": "Rules", "titles": "Titles"}
    rows = [
        (
            card.card,
            f"{card.at:%Y-%m-%d %H:%M}",
            " ".join(card.rules) or "not a card of this store",
            "; ".join(filter(None, (report.titles.get(rule) for rule in card.rules))),
        )
        for card in cards
    ]
    return Table(name, caption, columns, rows)
