"""How clinicians answered the cards, by rule: figures for the people responsible for the rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt

from cds_service.report.catalogue import Catalogue
from cds_service.settings import Settings
from cds_service.store import Store, figures
from cds_service.store.figures import (
    ACCEPTED,
    IGNORED,
    OVERRIDDEN,
    WAITING,
    ClientCount,
    Complaint,
    Period,
)

TIME_TO_ANSWER = timedelta(days=1)
RULE_WRONG, DATA_WRONG = "rule-wrong", "data-wrong"
MOST_COMPLAINTS = 500
LONGEST = timedelta(days=3660)
_PATIENCE = 20.0  # seconds
OTHER_REASON, NO_REASON = "other", "none given"
_SINCE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
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

    `reasons` counts overridden cards by reason; `flag` is "" below the threshold, "possible" if
    the share of overrides has reached it, and "clear" if the whole interval is above it.
    """

    rule: str
    version: str
    title: str
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
class Report:
    """The figures of a period, with the content and settings at the time of the report."""

    since: datetime
    until: datetime
    knowledge_version: str
    mode: str
    threshold: int  # percent
    rules: Sequence[RuleFigures]
    days: Sequence[DayFigures]
    clients: Sequence[ClientCount]
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
    def flagged(self) -> Sequence[RuleFigures]:
        """The rules that should be reviewed."""
        return [rule for rule in self.rules if rule.flag]


def read_since(text: str) -> timedelta:
    """How far back: "30d", "12h", "4w". Raises ValueError for anything else, or over ten years."""
    match = _SINCE.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else None
    if length is None or length > LONGEST:
        raise ValueError("expected a number of hours, days or weeks such as 12h, 30d or 4w")
    return length


def report(
    store: Store, catalogue: Catalogue, settings: Settings, now: datetime, length: timedelta
) -> Report:
    """The report on the time from `length` before `now` until now. Raises StoreUnavailable."""
    period = Period(now - length, now, now - TIME_TO_ANSWER)

    def make() -> Report:
        with store.reading() as connection:
            counts = figures.rule_counts(connection, period)
            reasons = figures.reason_counts(connection, period)
            calls = figures.days_of_calls(connection, period, catalogue.hooks)
            cards = figures.days_of_cards(connection, period)
            clients = figures.client_counts(connection, period, catalogue.hooks)
            wrong = {
                code: figures.complaints(connection, period, [code], MOST_COMPLAINTS)
                for code in (RULE_WRONG, DATA_WRONG)
            }
        return Report(
            since=period.since,
            until=period.until,
            knowledge_version=catalogue.version,
            mode=settings.mode,
            threshold=settings.override_threshold,
            rules=_rules(counts, reasons, catalogue, settings),
            days=_days(period, calls, cards),
            clients=clients,
            rule_wrong=wrong[RULE_WRONG],
            data_wrong=wrong[DATA_WRONG],
        )

    return store.within(_PATIENCE, make)


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


def _rules(
    counts: Iterable[figures.RuleCount],
    reasons: Iterable[figures.ReasonCount],
    catalogue: Catalogue,
    settings: Settings,
) -> list[RuleFigures]:
    """Flagged rules first, then by how often they were shown; switched rules are always listed."""
    became: dict[tuple[str, str], Counter[str]] = {}
    for count in counts:
        became.setdefault((count.rule, count.version), Counter())[count.became] += count.cards
    given: dict[tuple[str, str], Counter[str]] = {}
    for reason in reasons:
        code = _reason(reason.reason, catalogue)
        given.setdefault((reason.rule, reason.version), Counter())[code] += reason.cards
    shown = {rule for rule, _ in became}
    for rule in catalogue.switches:
        if rule not in shown:
            became[rule, ""] = Counter()
    rules = [
        _rule(rule, version, counter, given.get((rule, version), Counter()), catalogue, settings)
        for (rule, version), counter in became.items()
    ]
    order = ("clear", "possible", "")
    rules.sort(key=lambda rule: (order.index(rule.flag), -rule.shown, rule.rule, rule.version))
    return rules


def _rule(
    rule: str,
    version: str,
    became: Counter[str],
    reasons: Counter[str],
    catalogue: Catalogue,
    settings: Settings,
) -> RuleFigures:
    override_rate = rate(became[OVERRIDDEN], became[OVERRIDDEN] + became[ACCEPTED])
    return RuleFigures(
        rule=rule,
        version=version,
        title=catalogue.titles.get(rule, ""),
        switch=catalogue.switches.get(rule, ""),
        accepted=became[ACCEPTED],
        overridden=became[OVERRIDDEN],
        ignored=became[IGNORED],
        waiting=became[WAITING],
        suppressed=became["suppressed"],
        shadow=became["shadow"],
        reasons=dict(reasons.most_common()),
        override_rate=override_rate,
        flag=_flag(override_rate, settings.override_threshold / 100),
    )


def _reason(code: str | None, catalogue: Catalogue) -> str:
    """A reason that cards do not offer counts as "other": clients may write anything."""
    if code is None:
        return NO_REASON
    return code if code in catalogue.reasons else OTHER_REASON


def _flag(override_rate: Rate | None, threshold: float) -> str:
    """Whether to review: the share alone is enough, as a missed review costs more than one more."""
    if override_rate is None or override_rate.share < threshold:
        return ""
    return "clear" if override_rate.low >= threshold else "possible"


def _days(
    period: Period,
    calls: Iterable[figures.DayOfCalls],
    cards: Iterable[figures.DayOfCards],
) -> list[DayFigures]:
    """Every day of the period, also days without calls."""
    calls_by_day = {row.day: row for row in calls}
    became: dict[str, Counter[str]] = {}
    for row in cards:
        became.setdefault(row.day, Counter())[row.became] += row.cards
    days = []
    day = period.since.date()
    while day <= period.until.date():
        name = day.isoformat()
        of_calls = calls_by_day.get(name)
        days.append(
            DayFigures(
                day=name,
                calls=of_calls.calls if of_calls else 0,
                silent=of_calls.silent if of_calls else 0,
                became=became.get(name, {}),
            )
        )
        day += timedelta(days=1)
    return days
