"""What clinicians did with the cards, by rule: figures for the people responsible for the rules."""

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
from cds_service.store.figures import ACCEPTED, IGNORED, OVERRIDDEN, WAITING, Complaint, Period

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
    """What clinicians did with the cards of one version of a rule.

    `reasons` counts cards by reason against them; `flag` is "" below the threshold, "possible" if
    the share of overrides has reached it, "clear" if the whole interval has.
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
    override_rate: Rate | None  # None when nobody has answered
    flag: str

    @property
    def shown(self) -> int:
        """Every card that was shown, answered or not."""
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
        """Cards that were shown."""
        return sum(self.became.get(each, 0) for each in (ACCEPTED, OVERRIDDEN, IGNORED, WAITING))


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period, by the content and the settings of the moment when it was made."""

    since: datetime
    until: datetime
    knowledge_version: str
    mode: str
    threshold: int  # percent
    rules: Sequence[RuleFigures]
    days: Sequence[DayFigures]
    rule_wrong: Sequence[Complaint]
    data_wrong: Sequence[Complaint]

    @property
    def calls(self) -> int:
        """Calls that were answered."""
        return sum(day.calls for day in self.days)

    @property
    def shown(self) -> int:
        """Cards that were shown."""
        return sum(day.shown for day in self.days)

    @property
    def cards_per_call(self) -> float | None:
        """Cards shown for each call; None without a call."""
        return self.shown / self.calls if self.calls else None

    @property
    def silence_rate(self) -> Rate | None:
        """The share of calls that sent no card; None without a call."""
        return rate(sum(day.silent for day in self.days), self.calls)

    @property
    def override_rate(self) -> Rate | None:
        """The share of overrides among cards with an answer; None without one."""
        overridden = sum(day.became.get(OVERRIDDEN, 0) for day in self.days)
        accepted = sum(day.became.get(ACCEPTED, 0) for day in self.days)
        return rate(overridden, overridden + accepted)

    @property
    def flagged(self) -> Sequence[RuleFigures]:
        """The rules that are to be reviewed."""
        return [each for each in self.rules if each.flag]


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
            rule_wrong=wrong[RULE_WRONG],
            data_wrong=wrong[DATA_WRONG],
        )

    return store.within(_PATIENCE, make)


def rate(part: int, whole: int) -> Rate | None:
    """The share of `part` in `whole`; None of nothing.

    Wilson's interval, because it holds for few answers and for shares near 0 and 1 as well.
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
    """Flagged rules first, then by how often they were shown; switched rules are there always."""
    became: dict[tuple[str, str], Counter[str]] = {}
    for count in counts:
        became.setdefault((count.rule, count.version), Counter())[count.became] += count.cards
    given: dict[tuple[str, str], Counter[str]] = {}
    for reason in reasons:
        code = _reason(reason.reason, catalogue)
        given.setdefault((reason.rule, reason.version), Counter())[code] += reason.cards
    seen = {rule for rule, _ in became}
    for rule in catalogue.switches:
        if rule not in seen:
            became[rule, ""] = Counter()
    rules = [
        _rule(rule, version, counter, given.get((rule, version), Counter()), catalogue, settings)
        for (rule, version), counter in became.items()
    ]
    order = ("clear", "possible", "")
    rules.sort(key=lambda each: (order.index(each.flag), -each.shown, each.rule, each.version))
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
    """A reason that was never offered is "other": what a client writes there is its own."""
    if code is None:
        return NO_REASON
    return code if code in catalogue.reasons else OTHER_REASON


def _flag(override_rate: Rate | None, threshold: float) -> str:
    """One review too many costs less than one too few: the share itself is enough to flag."""
    if override_rate is None or override_rate.share < threshold:
        return ""
    return "clear" if override_rate.low >= threshold else "possible"


def _days(
    period: Period,
    calls: Iterable[figures.DayOfCalls],
    cards: Iterable[figures.DayOfCards],
) -> list[DayFigures]:
    """Every day of the period, also those on which nothing happened."""
    called = {each.day: each for each in calls}
    became: dict[str, Counter[str]] = {}
    for each in cards:
        became.setdefault(each.day, Counter())[each.became] += each.cards
    days = []
    day = period.since.date()
    while day <= period.until.date():
        name = day.isoformat()
        of_calls = called.get(name)
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
