"""The figures of a population, counted from the rows of its openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.content.artifacts import LEVELS
from cds_service.report.figures import Rate, rate
from cds_service.simulation.database import DuckDBPyConnection

GROUPS = ("age", "sex", "year")


@dataclass(frozen=True, slots=True)
class Part:
    """How many of all openings, and how many of all patients.

    `of_openings` and `of_patients` are shares with Wilson's 95 % interval. The one of patients is
    None where nobody knows whose openings without a card are.
    """

    openings: int
    patients: int
    of_openings: Rate | None
    of_patients: Rate | None


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """The openings with a card that rests on one version of a rule; `levels` counts them by level.

    An opening counts for each level at which the rule is on a card. `interrupting` counts the
    openings with a card that is critical or a warning because of the rule, `interrupts` is their
    share.
    """

    rule: str
    version: str
    title: str
    part: Part
    interrupting: int
    interrupts: Rate | None
    levels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SlotFigures:
    """The cards of one slot and indicator, and how long they are in words."""

    slot: str
    indicator: str
    part: Part
    median_words: float | None
    high_words: float | None  # nine of ten cards have at most so many
    most_words: int | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One age band, sex or year: its openings, and the share with a card or interrupted."""

    by: str
    value: str
    openings: int
    patients: int
    with_card: Rate | None
    interrupting: Rate | None


@dataclass(frozen=True, slots=True)
class RuleInGroup:
    """How often a rule came in one age band, sex or year."""

    rule: str
    version: str
    by: str
    value: str
    openings: int
    share: Rate | None


@dataclass(frozen=True, slots=True)
class LackFigures:
    """A fact that the record left open: in which state, at how many openings."""

    fact: str
    state: str
    openings: int
    share: Rate | None
    with_card: int  # of these openings, those with a card


@dataclass(frozen=True, slots=True)
class ChangeFigures:
    """Cards that are different in the older content, for one reason."""

    service: str
    slot: str
    change: str
    was: str
    becomes: str
    because: str
    openings: int
    patients: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures. `knows_patients` is False if openings without a card have no patient."""

    openings: int
    patients: int
    knows_patients: bool
    cards: int
    with_card: Part
    interrupting: Part
    rules: Sequence[RuleFigures]
    slots: Sequence[SlotFigures]
    groups: Sequence[GroupFigures]
    rules_in_groups: Sequence[RuleInGroup]
    lacking: Sequence[LackFigures]
    changes: Sequence[ChangeFigures]
    unreadable: Mapping[str, int]


def figures_of(database: DuckDBPyConnection, titles: Mapping[str, str]) -> Figures:
    """Count everything. `titles` has the titles of rules by `service/rule`."""
    return _Counting(database).figures(titles)


class _Counting:
    def __init__(self, database: DuckDBPyConnection) -> None:
        self._database = database
        [(self.openings, known)] = self._rows("SELECT count(*), count(patient) FROM opening")
        [(self.patients,)] = self._rows("SELECT count(patient) FROM person")
        self.knows_patients = known == self.openings

    def figures(self, titles: Mapping[str, str]) -> Figures:
        [(cards,)] = self._rows("SELECT count(*) FROM card")
        return Figures(
            openings=self.openings,
            patients=self.patients,
            knows_patients=self.knows_patients,
            cards=cards,
            with_card=self._part(*self._rows(_OPENINGS_WHERE.format("has_card"))[0]),
            interrupting=self._part(*self._rows(_OPENINGS_WHERE.format("interrupts"))[0]),
            rules=self._rules(titles),
            slots=self._slots(),
            groups=[group for by in GROUPS for group in self._groups(by)],
            rules_in_groups=[row for by in GROUPS for row in self._rules_in(by)],
            lacking=self._lacking(),
            changes=[ChangeFigures(*row) for row in self._rows(_CHANGES)],
            unreadable=dict(self._rows(_UNREADABLE)),
        )

    def _rows(self, query: str) -> list[Any]:
        return self._database.execute(query).fetchall()

    def _part(self, openings: int, patients: int) -> Part:
        of_patients = rate(patients, self.patients) if self.knows_patients else None
        return Part(openings, patients, rate(openings, self.openings), of_patients)

    def _rules(self, titles: Mapping[str, str]) -> list[RuleFigures]:
        return [
            RuleFigures(
                rule,
                version,
                titles.get(rule, ""),
                self._part(openings, patients),
                interrupting,
                rate(interrupting, self.openings),
                dict(zip((*LEVELS, "other"), counts, strict=True)),
            )
            for rule, version, openings, patients, interrupting, *counts in self._rows(_RULES)
        ]

    def _slots(self) -> list[SlotFigures]:
        return [
            SlotFigures(slot, indicator, self._part(openings, patients), *words)
            for slot, indicator, openings, patients, *words in self._rows(_SLOTS)
        ]

    def _groups(self, by: str) -> list[GroupFigures]:
        return [
            GroupFigures(
                by, value, openings, patients, rate(cards, openings), rate(interrupting, openings)
            )
            for value, openings, patients, cards, interrupting in self._rows(_GROUPS.format(by=by))
        ]

    def _rules_in(self, by: str) -> list[RuleInGroup]:
        return [
            RuleInGroup(rule, version, by, value, openings, rate(openings, whole))
            for rule, version, value, openings, whole in self._rows(_RULES_IN_GROUPS.format(by=by))
        ]

    def _lacking(self) -> list[LackFigures]:
        return [
            LackFigures(fact, state, openings, rate(openings, self.openings), with_card)
            for fact, state, openings, with_card in self._rows(_LACKING)
        ]


_OPENINGS_WHERE = "SELECT count(*), count(DISTINCT patient) FROM opening WHERE {}"
_RULES = """
SELECT id, version, count(DISTINCT (patient, opened, instant)) AS openings,
  count(DISTINCT patient),
  count(DISTINCT (patient, opened, instant)) FILTER (
    indicator IN ('critical', 'warning') AND level IN ('critical', 'warning')),
  count(DISTINCT (patient, opened, instant)) FILTER (level = 'critical'),
  count(DISTINCT (patient, opened, instant)) FILTER (level = 'warning'),
  count(DISTINCT (patient, opened, instant)) FILTER (level = 'info'),
  count(DISTINCT (patient, opened, instant)) FILTER (level NOT IN ('critical', 'warning', 'info'))
FROM fired GROUP BY ALL ORDER BY openings DESC, 1, 2
"""
_SLOTS = """
SELECT slot, indicator, count(DISTINCT (patient, opened, instant)),
  count(DISTINCT patient),
  median(words), quantile_cont(words, 0.9), max(words)
FROM card GROUP BY slot, indicator
ORDER BY CASE indicator WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, slot
"""
_GROUPS = """
SELECT {by}::VARCHAR, count(*), count(DISTINCT patient),
  count(*) FILTER (has_card), count(*) FILTER (interrupts)
FROM opening WHERE {by} IS NOT NULL GROUP BY {by} ORDER BY {by}
"""
_RULES_IN_GROUPS = """
WITH whole AS (SELECT {by} AS value, count(*) AS openings FROM opening GROUP BY ALL)
SELECT id, version, {by}::VARCHAR, count(DISTINCT (patient, opened, instant)),
  any_value(whole.openings)
FROM fired JOIN whole ON whole.value = {by} GROUP BY ALL ORDER BY 1, 2, 3
"""
_LACKING = """
SELECT fact, state, count(*) AS openings, count(*) FILTER (has_card)
FROM lacking GROUP BY ALL ORDER BY openings DESC, 1, 2
"""
_CHANGES = """
SELECT service, slot, change, was, becomes,
  array_to_string(because, '; ') AS because, count(DISTINCT (patient, opened, instant)) AS openings,
  count(DISTINCT patient)
FROM change GROUP BY ALL ORDER BY openings DESC, 1, 2, 3, 4, 5, 6
"""
_UNREADABLE = "SELECT why, count(*) FROM unreadable GROUP BY why ORDER BY why"
