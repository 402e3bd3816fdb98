"""The figures as plots: the position of each mark in pixels. A template draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import shorten

from cds_service.report.figures import Rate, Report, RuleFigures

WIDE, NARROW = 960, 380
MOST_RULES = 12
MOST_DAYS_WITH_DOTS = 45
MOST_STEPS = 6
_OUTCOMES = {
    "accepted": "Accepted",
    "overridden": "Overridden",
    "ignored": "Not answered",
    "waiting": "No answer yet",
}
_LETTER = 6.8  # pixels, about
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 36, 10, 28  # margins around the marks; labels may use them
_ROW, BAR = 40, 16  # a bar with its label above it


@dataclass(frozen=True, slots=True)
class Guide:
    """A thin line behind the marks; `threshold` marks the line at which rules are flagged."""

    x1: float
    y1: float
    x2: float
    y2: float
    threshold: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a point: right of it, centred or left of it, as `anchor` says."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle in the colour of a series, with its text."""

    series: int
    x: float
    y: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawing. `lines` are the points of each series; `intervals` are low, high and y."""

    width: int
    height: int
    guides: Sequence[Guide]
    labels: Sequence[Label]
    bars: Sequence[Bar] = ()
    lines: Sequence[Sequence[tuple[float, float]]] = ()
    intervals: Sequence[tuple[float, float, float]] = ()
    bar_height: int = BAR

    @property
    def has_dots(self) -> bool:
        """Whether the points of a line are marked: only if the dots do not touch."""
        return any(len(line) <= MOST_DAYS_WITH_DOTS for line in self.lines)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, drawn for a wide and a narrow page; `legend` is in the order of the colours."""

    name: str
    title: str
    description: str
    legend: Sequence[str]
    wide: Drawing
    narrow: Drawing


def plots(report: Report) -> dict[str, Plot]:
    """The plots by name; plots without data are left out."""
    drawn = (_days(report), _outcomes(report), _rates(report))
    return {plot.name: plot for plot in drawn if plot is not None}


def whole_steps(highest: int) -> list[int]:
    """Whole numbers for an axis from 0 to `highest` or a little more: at most six steps."""
    size = 1
    while highest > size * MOST_STEPS:
        size = size * 5 // 2 if str(size).startswith("2") else size * 2  # 1, 2, 5, 10, 20 ...
    return list(range(0, size * max(1, ceil(highest / size)) + 1, size))


def _days(report: Report) -> Plot | None:
    if not report.calls and not report.shown:
        return None
    names = [day.day for day in report.days]
    series = [[getattr(day, name) for day in report.days] for name in ("calls", "shown", "silent")]
    steps = whole_steps(max(map(max, series)))

    def draw(width: int) -> Drawing:
        right, bottom = width - _RIGHT, 280 - _BOTTOM

        def x(day: int) -> float:
            return _LEFT + (right - _LEFT) * (day / (len(names) - 1) if len(names) > 1 else 0.5)

        def y(value: int) -> float:
            return bottom - (bottom - _TOP) * value / steps[-1]

        every = ceil(len(names) / (7 if width == WIDE else 3))
        named = range(len(names) - 1, -1, -every)  # the last day is always named
        return Drawing(
            width,
            280,
            guides=[Guide(_LEFT, y(step), right, y(step)) for step in steps],
            labels=[Label(_LEFT - 8, y(step) + 4, str(step), "end") for step in steps]
            + [Label(x(day), 280 - 8, names[day]) for day in named],
            lines=[[(x(day), y(value)) for day, value in enumerate(values)] for values in series],
        )

    busiest = max(report.days, key=lambda day: day.calls)
    text = f"{report.calls} calls and {report.shown} cards; most calls on {busiest.day}."
    legend = ("Calls", "Cards shown", "Calls without a card")
    return plot("days", "Calls and cards, day by day", text, legend, draw)


def _outcomes(report: Report) -> Plot | None:
    rules = sorted(report.clinical, key=lambda rule: -rule.shown)[:MOST_RULES]
    rules = [rule for rule in rules if rule.shown]
    if not rules:
        return None
    steps = whole_steps(rules[0].shown)

    def draw(width: int) -> Drawing:
        x = scale(width, steps[-1])
        bars = []
        for row, rule in enumerate(rules):
            before = 0
            for series, outcome in enumerate(_OUTCOMES):
                cards = getattr(rule, outcome)
                if cards:
                    length = x(before + cards) - x(before)
                    text = f"{_short(rule)}: {cards} {_OUTCOMES[outcome].lower()}"
                    bars.append(Bar(series, x(before), bar_at(row), length, text))
                before += cards
        return rows(width, steps[-1], _names(rules), steps, bars)

    text = f"The {len(rules)} rules shown most; {_short(rules[0])} on {rules[0].shown} cards."
    legend = list(_OUTCOMES.values())
    return plot("outcomes", "What clinicians did with the cards, by rule", text, legend, draw)


def _rates(report: Report) -> Plot | None:
    rated = [(rule, rule.override_rate) for rule in report.clinical if rule.override_rate]
    rated = sorted(rated, key=lambda pair: -pair[1].share)[:MOST_RULES]
    if not rated:
        return None
    # The threshold is one of the percentages; others too close to it are left out.
    others = [step for step in (0, 25, 50, 75, 100) if abs(step - report.threshold) >= 10]
    steps = sorted([*others, report.threshold])
    names, rates = _names([rule for rule, _ in rated]), [rate for _, rate in rated]
    texts = [f"{_short(rule)}: {rate.share:.0%}" for rule, rate in rated]

    def draw(width: int) -> Drawing:
        return rate_rows(width, 100, names, texts, rates, steps, report.threshold)

    first, highest = rated[0]
    text = f"The share is highest for {_short(first)}, {highest.share:.0%}."
    title = "Overrides as a share of answers, in percent, with 95 % interval"
    return plot("rates", title, text, (), draw)


def scale(width: int, highest: float) -> Callable[[float], float]:
    """A function from values to pixels, for horizontal bars."""
    return lambda value: _TOP + (width - _RIGHT - _TOP) * value / highest


def bar_at(row: int) -> float:
    """Where the bar of a row begins."""
    return row * _ROW + 20


def rows(
    width: int,
    highest: float,
    names: Sequence[str],
    steps: Sequence[float],
    bars: Sequence[Bar],
    threshold: int | None = None,
    intervals: Sequence[tuple[float, float, float]] = (),
) -> Drawing:
    """A row for each name, which stands above its bar, on an axis from 0 to `highest`."""
    x, bottom = scale(width, highest), len(names) * _ROW + 6
    return Drawing(
        width,
        bottom + _BOTTOM,
        guides=[Guide(x(step), 0, x(step), bottom, step == threshold) for step in steps],
        labels=[Label(x(step), bottom + 18, f"{step:g}") for step in steps]
        + [
            Label(_TOP + 4, bar_at(row) - 5, _fitted(name, width), "start")
            for row, name in enumerate(names)
        ],
        bars=bars,
        intervals=intervals,
    )


def rate_rows(
    width: int,
    highest: float,
    names: Sequence[str],
    texts: Sequence[str],
    rates: Sequence[Rate],
    steps: Sequence[float],
    threshold: int | None = None,
) -> Drawing:
    """A row for each rate in percent: its name, a bar with its text, and its interval."""
    x = scale(width, highest)
    bars = [
        Bar(0, x(0), bar_at(row), x(rate.share * 100) - x(0), text)
        for row, (rate, text) in enumerate(zip(rates, texts, strict=True))
    ]
    intervals = [
        (x(rate.low * 100), x(rate.high * 100), bar_at(row) + BAR / 2)
        for row, rate in enumerate(rates)
    ]
    return rows(width, highest, names, steps, bars, threshold, intervals)


def _fitted(name: str, width: int) -> str:
    """As many words of a name as there is room for."""
    return shorten(name, int((width - _TOP - _RIGHT) / _LETTER), placeholder=" …")


def _names(rules: Sequence[RuleFigures]) -> list[str]:
    """The rules by id and title, with the version where a rule has several."""
    ids = [rule.rule for rule in rules]
    several = {id_ for id_ in ids if ids.count(id_) > 1}
    return [
        f"{_short(rule)}{f' {rule.version}' if rule.rule in several else ''} {rule.title}"
        for rule in rules
    ]


def _short(rule: RuleFigures) -> str:
    """The id of a rule, without its service."""
    return rule.rule.rpartition("/")[2]


def plot(
    name: str,
    title: str,
    description: str,
    legend: Sequence[str],
    draw: Callable[[int], Drawing],
) -> Plot:
    """A plot in both widths."""
    return Plot(name, title, description, legend, draw(WIDE), draw(NARROW))
