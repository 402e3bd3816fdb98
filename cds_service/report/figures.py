"""How clinicians answered the cards, by rule: figures for the people responsible for the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt

from cds_service.store.figures import ACCEPTED, IGNORED, OVERRIDDEN, WAITING, Complaint

_Z = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `whole` with its 95 % interval after Wilson; all three from 0 to 1."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """How clinicians answered the cards of one version of a rule.

    `reasons` counts overridden cards by reason; `flag` is "" below the threshold or with fewer than
    ten answers, "possible" if the share of overrides has reached it, and "clear" if the whole
    interval is above it. A fixed rule holds whatever a record says: it has no flag, because an
    answer to its card says nothing about it.
    """

    rule: str
    version: str
    title: str
    is_fixed: bool
    switch: str  # "", "disabled" or "shadow"
    accepted: int
    overridden: int
    ignored: int
    waiting: int
    suppressed: int
    shadow: int
    reasons: Mapping[str, int]
    override_rate: Rate | None  # None without answers
    flag: str

    @property
    def shown(self) -> int:
        """The number of cards shown, answered or not."""
        return self.accepted + self.overridden + self.ignored + self.waiting


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One UTC day, written 2026-11-22."""

    day: str
    calls: int = 0
    silent: int = 0
    became: Mapping[str, int] = field(default_factory=dict)

    @property
    def shown(self) -> int:
        """The number of cards shown."""
        outcomes = (ACCEPTED, OVERRIDDEN, IGNORED, WAITING)
        return sum(self.became.get(outcome, 0) for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """The calls of one client and tenant; None stands for calls of which nobody was asked."""

    client: str | None
    calls: int
    refused: int
    silent: int
    cards: int


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period, with the content and settings at the time of the report.

    `titles` are those of rules and causes by `service/rule`, `reasons` the words of
    override reasons by their codes.
    """

    since: datetime
    until: datetime
    knowledge_version: str
    mode: str
    threshold: int  # percent
    titles: Mapping[str, str]
    reasons: Mapping[str, str]
    rules: Sequence[RuleFigures]
    days: Sequence[DayFigures]
    clients: Sequence[ClientFigures]
    rule_wrong: Sequence[Complaint]
    data_wrong: Sequence[Complaint]

    @property
    def calls(self) -> int:
        """The number of answered calls."""
        return sum(day.calls for day in self.days)

    @property
    def shown(self) -> int:
        """The number of cards shown."""
        return sum(day.shown for day in self.days)

    @property
    def cards_per_call(self) -> float | None:
        """Cards shown for each call; None without a call."""
        return self.shown / self.calls if self.calls else None

    @property
    def silence_rate(self) -> Rate | None:
        """The share of calls without a card; None without a call."""
        return rate(sum(day.silent for day in self.days), self.calls)

    @property
    def override_rate(self) -> Rate | None:
        """The share of overrides among answered cards; None without one."""
        overridden = sum(day.became.get(OVERRIDDEN, 0) for day in self.days)
        accepted = sum(day.became.get(ACCEPTED, 0) for day in self.days)
        return rate(overridden, overridden + accepted)

    @property
    def clinical(self) -> Sequence[RuleFigures]:
        """The rules that depend on the record."""
        return [rule for rule in self.rules if not rule.is_fixed]

    @property
    def fixed(self) -> Sequence[RuleFigures]:
        """The rules that hold whatever a record says."""
        return [rule for rule in self.rules if rule.is_fixed]

    @property
    def flagged(self) -> Sequence[RuleFigures]:
        """The rules that should be reviewed."""
        return [rule for rule in self.rules if rule.flag]


def rate(part: int, whole: int) -> Rate | None:
    """The share of `part` in `whole`; None if `whole` is 0.

    Wilson's interval, because it is also right for few answers and for shares near 0 and 1.
    """
    if not whole:
        return None
    share, z2 = part / whole, _Z * _Z
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z / (1 + z2 / whole) * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return Rate(share, max(0.0, middle - half), min(1.0, middle + half))
