"""The figures as SVG that needs no script and no style of its own: colours stand in style.css."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from cds_service.report.figures import Report, RuleFigures

WIDE, NARROW = 960, 380
MOST_RULES = 12
MOST_DAYS_WITH_DOTS = 45
_KEPT_CHILDREN = ("svg", "g", "path", "rect", "circle", "text")
_OUTCOMES = ("accepted", "overridden", "ignored", "waiting")
_NAMESPACE = b' xmlns="http://www.w3.org/2000/svg"'  # which HTML does not need
# The library leaves a finder for its plugins that Python no longer understands, and warns about at
# every later import. There are no plugins here.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != pygal.__name__]
_STYLE = Style(font_family="inherit", label_font_size=13, major_label_font_size=13)


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure, drawn for a wide and for a narrow page; `legend` is in the order of colours."""

    name: str
    title: str
    legend: Sequence[str]
    wide: Markup
    narrow: Markup


def plots(report: Report) -> dict[str, Plot]:
    """The plots by name; those without anything to show are left out."""
    made = (_days(report), _outcomes(report), _rates(report))
    return {plot.name: plot for plot in made if plot is not None}


def _days(report: Report) -> Plot | None:
    if not report.calls and not report.shown:
        return None
    legend = ("Calls", "Cards shown", "Calls without a card")

    def draw(width: int) -> Any:
        days = [day.day for day in report.days]
        chart = pygal.Line(
            **_options(width, height=280),
            show_dots=len(days) <= MOST_DAYS_WITH_DOTS,
            show_minor_x_labels=False,
            x_labels_major=_spread(days, 7 if width == WIDE else 3),
        )
        chart.x_labels = days
        chart.add("", [day.calls for day in report.days])
        chart.add("", [day.shown for day in report.days])
        chart.add("", [day.silent for day in report.days])
        return chart

    busiest = max(report.days, key=lambda day: day.calls)
    told = f"{report.calls} calls and {report.shown} cards; most calls on {busiest.day}."
    return _plot("days", "Calls and cards, day by day", told, legend, draw)


def _outcomes(report: Report) -> Plot | None:
    rules = sorted(report.rules, key=lambda rule: -rule.shown)[:MOST_RULES]
    rules = [rule for rule in rules if rule.shown]
    if not rules:
        return None
    legend = [name.capitalize() for name in _OUTCOMES]

    def draw(width: int) -> Any:
        chart = pygal.HorizontalStackedBar(**_options(width, height=64 + 30 * len(rules)))
        chart.x_labels = _labels(rules)
        for outcome in _OUTCOMES:
            chart.add("", [getattr(rule, outcome) for rule in reversed(rules)])
        return chart

    told = f"The {len(rules)} rules shown most; {rules[0].rule} on {rules[0].shown} cards."
    return _plot("outcomes", "What became of cards, rule by rule", told, legend, draw)


def _rates(report: Report) -> Plot | None:
    rules = [rule for rule in report.rules if rule.override_rate is not None]
    rules = sorted(rules, key=lambda rule: -_share(rule))[:MOST_RULES]
    if not rules:
        return None

    def draw(width: int) -> Any:
        chart = pygal.HorizontalBar(**_options(width, height=64 + 30 * len(rules)), range=(0, 100))
        chart.y_labels = _around(report.threshold)
        chart.y_labels_major = [report.threshold]
        chart.x_labels = _labels(rules)
        chart.add("", [_bar(rule) for rule in reversed(rules)])
        return chart

    told = f"The share is highest for {rules[0].rule}, {_share(rules[0]):.0%}."
    title = "Overrides as a share of answers, in percent, with 95 % interval"
    return _plot("rates", title, told, (), draw)


def _share(rule: RuleFigures) -> float:
    return rule.override_rate.share if rule.override_rate else 0.0


def _bar(rule: RuleFigures) -> dict[str, Any]:
    rate = rule.override_rate
    if rate is None:
        return {"value": None}
    interval = {"low": rate.low * 100, "high": rate.high * 100}
    return {"value": round(rate.share * 100, 1), "ci": interval}


def _labels(rules: Sequence[RuleFigures]) -> list[str]:
    """From the bottom up; with the service and the version where there are several."""
    names = [rule.rule for rule in rules]
    labels = [
        f"{rule.rule} {rule.version}" if names.count(rule.rule) > 1 else rule.rule
        for rule in reversed(rules)
    ]
    services = {name.partition("/")[0] for name in names}
    return labels if len(services) > 1 else [label.partition("/")[2] for label in labels]


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """At most so many of the labels, evenly, the last one among them."""
    step = max(1, -(-len(labels) // most))
    return list(labels[::-1][::step])


def _around(threshold: int) -> list[int]:
    """Percents for an axis, the threshold among them and none too near to it."""
    others = [each for each in (0, 25, 50, 75, 100) if abs(each - threshold) >= 10]
    return sorted([*others, threshold])


def _options(width: int, *, height: int) -> dict[str, Any]:
    return {
        "width": width,
        "height": height,
        "css": [],
        "js": [],
        "no_prefix": True,
        "show_legend": False,
        "style": _STYLE,
        "margin": 8,
        "margin_right": 36,  # half of the last label
        "max_scale": 6,
        "truncate_label": -1,
        "dots_size": 3,
    }


def _plot(name: str, title: str, told: str, legend: Sequence[str], draw: Any) -> Plot:
    wide, narrow = (
        _svg(draw(width).render(), f"{name}-{size}", title, told)
        for width, size in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Plot(name, title, legend, wide, narrow)


def _svg(drawn: bytes, name: str, title: str, told: str) -> Markup:
    """The picture alone: named for those who do not see it, without style and scripts."""
    # Read anew, because pygal builds it with lxml where that is installed. Safe: our own picture.
    root = ElementTree.fromstring(drawn.replace(_NAMESPACE, b""))  # noqa: S314
    _strip(root)
    root.attrib |= {"id": name, "role": "img", "aria-labelledby": f"{name}-title {name}-desc"}
    for tag, text in (("desc", told), ("title", title)):
        element = ElementTree.Element(tag, id=f"{name}-{tag}")
        element.text = text
        root.insert(0, element)
    # Safe: made of numbers, dates and ids by a library that escapes, not of what anybody sent.
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _strip(element: ElementTree.Element) -> None:
    for name in ("style", "id"):
        element.attrib.pop(name, None)
    for child in list(element):
        if child.tag not in _KEPT_CHILDREN or "tooltip-overlay" in child.get("class", ""):
            element.remove(child)
        else:
            _strip(child)
