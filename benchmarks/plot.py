"""A plot as SVG: lines over a logarithmic axis; opens in any browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import floor, log10

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 640, 360, 64, 48, 40, 150
COLOURS = ("#0b5d66", "#b3541e", "#4b3f92", "#2e7d32")

Line = Sequence[tuple[float, float]]


def plot(title: str, across: str, up: str, lines: Mapping[str, Line]) -> str:
    """An SVG of named lines; both axes are logarithmic, and every value is above zero."""
    points = [point for line in lines.values() for point in line]
    x_of = _scale([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y_of = _scale([y for _, y in points], HEIGHT - BELOW, ABOVE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 20, title, size=14),
        _text(LEFT, HEIGHT - 8, across),
        _text(8, ABOVE - 8, up),
    ]
    for value in sorted({x for x, _ in points}):
        parts.append(_text(x_of(value), HEIGHT - BELOW + 16, f"{value:g}", anchor="middle"))
    for value in _decades([y for _, y in points]):
        height = y_of(value)
        parts.append(f'<path d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}" stroke="#ddd" fill="none"/>')
        parts.append(_text(LEFT - 6, height + 4, f"{value:g}", anchor="end"))
    by_height = sorted(lines.items(), key=lambda named: -named[1][-1][1])
    for place, ((name, line), colour) in enumerate(zip(by_height, COLOURS, strict=False)):
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in line)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        for x, y in line:
            parts.append(f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 16, ABOVE + 12 + 20 * place, name, fill=colour))
    return "\n".join([*parts, "</svg>", ""])


def _scale(values: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    low, high = log10(min(values)), log10(max(values))
    width = high - low or 1.0
    return lambda value: start + (log10(value) - low) / width * (end - start)


def _decades(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of each power of ten that lie among the values."""
    powers = range(floor(log10(min(values))), floor(log10(max(values))) + 1)
    marks = (step * 10.0**power for power in powers for step in (1, 2, 5))
    return [mark for mark in marks if min(values) <= mark <= max(values)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, fill: str = "#222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' fill="{fill}">{escape(text)}</text>'
    )
