"""The figures as plots: rules, groups and what lacked. A template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from cds_service.report.figures import Rate
from cds_service.report.plots import Bar, Drawing, Plot, bar_at, plot, rate_rows, rows, scale
from cds_service.simulation.figures import Figures, RuleFigures

MOST_ROWS = 20
_STEPS = 5
# Facts whose absence is a fault of the data rather than of care stand first in a plot.
_STATES = ("missing", "stale", "unreadable", "not-retrieved")


def plots(figures: Figures) -> dict[str, Plot]:
    """The plots by name; plots without data are left out."""
    drawn = (
        _interrupting(figures),
        _rules(figures),
        *(_groups(figures, by) for by in ("age", "sex", "year")),
        *(_lacking(figures, state) for state in _STATES),
    )
    return {each.name: each for each in drawn if each is not None}


def steps_to(highest: float) -> list[float]:
    """An axis from 0 to `highest` or a little more, in at most five steps of 1, 2 or 5."""
    if highest <= 0:
        return [0.0, 1.0]
    size = 10.0 ** floor(log10(highest / _STEPS))
    size *= next(times for times in (1, 2, 5, 10, 20) if size * times * _STEPS >= highest)
    return [round(size * step, 9) for step in range(ceil(highest / size - 1e-9) + 1)]


def _interrupting(figures: Figures) -> Plot | None:
    most = sorted(figures.rules, key=lambda rule: -rule.interrupting)[:MOST_ROWS]
    rated = [(_name(rule), rule.interrupts) for rule in most]
    title = "Openings that a rule interrupts, of 100, with 95 % interval"
    return _rates("interrupting", title, rated)


def _rules(figures: Figures) -> Plot | None:
    most = figures.rules[:MOST_ROWS]
    rated = [(_name(rule), rule.part.of_openings) for rule in most]
    title = "Openings with a card that rests on a rule, of 100, with 95 % interval"
    return _rates("rules", title, rated)


def _groups(figures: Figures, by: str) -> Plot | None:
    groups = [group for group in figures.groups if group.by == by][-MOST_ROWS:]
    shares = [(group.with_card, group.interrupting) for group in groups]
    if not any(card and card.share for card, _ in shares):
        return None
    steps = steps_to(max(100 * rate.share for pair in shares for rate in pair if rate))

    def draw(width: int) -> Drawing:
        x = scale(width, steps[-1])
        bars = []
        for row, (group, (card, interrupting)) in enumerate(zip(groups, shares, strict=True)):
            for series, rate in ((0, card), (1, interrupting)):
                share = 100 * rate.share if rate else 0.0
                if share:
                    what = "interrupt" if series == 1 else "have a card"
                    text = f"{group.value}: {share:.3g} of 100 {what}"
                    bars.append(Bar(series, x(0), bar_at(row), x(share) - x(0), text))
        return rows(width, steps[-1], [group.value for group in groups], steps, bars)

    title = f"Openings by {by}, of 100"
    text = f"{len(groups)} groups; a card that interrupts is critical or a warning."
    return plot(f"by-{by}", title, text, ("With a card", "With one that interrupts"), draw)


def _lacking(figures: Figures, state: str) -> Plot | None:
    most = [lack for lack in figures.lacking if lack.state == state][:MOST_ROWS]
    name = {"not-retrieved": "not in the data"}.get(state, state)
    title = f"Facts that were {name}, at 100 openings"
    return _rates(f"lacking-{state}", title, [(_short(lack.fact), lack.share) for lack in most])


def _name(rule: RuleFigures) -> str:
    return f"{_short(rule.rule)} {rule.version} {rule.title}"


def _short(name: str) -> str:
    """A rule or a fact without its service."""
    return name.rpartition("/")[2]


def _rates(name: str, title: str, rated: Sequence[tuple[str, Rate | None]]) -> Plot | None:
    shares = [(label, rate) for label, rate in rated if rate is not None and rate.share]
    if not shares:
        return None
    steps = steps_to(max(rate.high for _, rate in shares) * 100)
    labels, rates = [label for label, _ in shares], [rate for _, rate in shares]
    texts = [f"{label}: {rate.share * 100:.3g} of 100" for label, rate in shares]

    def draw(width: int) -> Drawing:
        return rate_rows(width, steps[-1], labels, texts, rates, steps)

    text = f"First {labels[0]}, {rates[0].share * 100:.3g} of 100."
    return plot(name, title, text, (), draw)
