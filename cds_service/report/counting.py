"""The report on a period: counts the store, and makes the figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from cds_service.report.catalogue import Catalogue
from cds_service.report.figures import ClientFigures, DayFigures, Rate, Report, RuleFigures, rate
from cds_service.settings import Settings
from cds_service.store import Store, figures
from cds_service.store.figures import (
    ACCEPTED,
    IGNORED,
    OVERRIDDEN,
    WAITING,
    CallCount,
    Period,
)
from cds_service.store.sums import hour_of

TIME_TO_ANSWER = timedelta(days=1)
RULE_WRONG, DATA_WRONG = "rule-wrong", "data-wrong"
MOST_COMPLAINTS = 500
LEAST_ANSWERS = 10  # with fewer, a share says nothing about a rule
LONGEST = timedelta(days=3660)
_PATIENCE = 20.0  # seconds
OTHER_REASON, NO_REASON = "other", "none given"
_OTHER_WORDS = {OTHER_REASON: "Another reason", NO_REASON: "No reason given"}
_SINCE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


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
    """The report on the time until now, from the hour that was `length` ago: calls are counted by
    the hour.

    Raises StoreUnavailable.
    """
    period = Period(hour_of(now - length), now, now - TIME_TO_ANSWER)

    def make() -> Report:
        with store.reading() as connection:
            counts = figures.rule_counts(connection, period)
            calls = figures.call_counts(connection, period, catalogue.hooks)
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
            titles=catalogue.titles,
            reasons=dict(catalogue.reasons) | _OTHER_WORDS,
            rules=_rules(counts, catalogue, settings),
            days=_days(period, calls, cards),
            clients=_clients(calls),
            rule_wrong=wrong[RULE_WRONG],
            data_wrong=wrong[DATA_WRONG],
        )

    return store.within(_PATIENCE, make)


def _rules(
    counts: Iterable[figures.RuleCount],
    catalogue: Catalogue,
    settings: Settings,
) -> list[RuleFigures]:
    """Flagged rules first, then by how often they were shown; switched rules are always listed."""
    became: dict[tuple[str, str], Counter[str]] = {}
    given: dict[tuple[str, str], Counter[str]] = {}
    for count in counts:
        rule = count.rule, count.version
        became.setdefault(rule, Counter())[count.became] += count.cards
        if count.became == OVERRIDDEN:
            given.setdefault(rule, Counter())[_reason(count.reason, catalogue)] += count.cards
    shown = {name for name, _ in became}
    became |= {(name, ""): Counter() for name in catalogue.switches if name not in shown}
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
    override_rate = rate(became[OVERRIDDEN], answers := became[OVERRIDDEN] + became[ACCEPTED])
    is_fixed = rule in catalogue.fixed
    can_be_flagged = answers >= LEAST_ANSWERS and not is_fixed
    return RuleFigures(
        rule=rule,
        version=version,
        title=catalogue.titles.get(rule, ""),
        is_fixed=is_fixed,
        switch=catalogue.switches.get(rule, ""),
        accepted=became[ACCEPTED],
        overridden=became[OVERRIDDEN],
        ignored=became[IGNORED],
        waiting=became[WAITING],
        suppressed=became["suppressed"],
        shadow=became["shadow"],
        reasons=dict(reasons.most_common()),
        override_rate=override_rate,
        flag=_flag(override_rate, settings.override_threshold / 100) if can_be_flagged else "",
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
    calls: Iterable[CallCount],
    cards: Iterable[figures.DayOfCards],
) -> list[DayFigures]:
    """Every day of the period, also days without calls."""
    answered: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for count in calls:
        answered[count.day] += count.answered
        silent[count.day] += count.silent
    became: dict[str, Counter[str]] = {}
    for row in cards:
        became.setdefault(row.day, Counter())[row.became] += row.cards
    days = []
    day = period.since.date()
    while day <= period.until.date():
        name = day.isoformat()
        days.append(
            DayFigures(
                day=name,
                calls=answered[name],
                silent=silent[name],
                became=became.get(name, {}),
            )
        )
        day += timedelta(days=1)
    return days


def _clients(calls: Iterable[CallCount]) -> list[ClientFigures]:
    """The calls of each client, calls without one first."""
    sums: dict[str | None, Counter[str]] = {}
    for count in calls:
        counter = sums.setdefault(count.client, Counter())
        for name in ("answered", "refused", "silent", "cards"):
            counter[name] += getattr(count, name)
    return [
        ClientFigures(client, each["answered"], each["refused"], each["silent"], each["cards"])
        for client, each in sorted(sums.items(), key=lambda pair: pair[0] or "")
    ]
