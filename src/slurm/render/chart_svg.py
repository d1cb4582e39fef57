"""Charts as SVG documents: courses of several things over the same axis, one panel below the other, without any program to look at them
but a browser."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#1b6ca8", "#d1495b", "#2a9d5c", "#e08e1b", "#7b4fa3", "#5c6670", "#a8791b", "#14808a")
WIDTH, HEIGHT, LEFT, GAP, TOP = 820, 170, 70, 56, 40
"""Pixels: of a panel, of what is left of it, between panels, above the first."""
POINTS = 800
"""A line is drawn through no more points than that."""
_TICKS = 5


class Line(NamedTuple):
    """One course: (x, y) in order of x; `steps`: y holds until the next x."""

    name: str
    points: Sequence[tuple[float, float]]
    steps: bool = False


class Panel(NamedTuple):
    """A chart of lines over one axis; `x_text` and `y_text` write a number of the axes."""

    title: str
    lines: Sequence[Line]
    x_text: Callable[[float], str] = "{:g}".format
    y_text: Callable[[float], str] = "{:g}".format
    y_most: float = 0.0


def drawing(title: str, panels: Sequence[Panel]) -> str:
    """The whole document, with a legend of the lines' names; the same name has the same colour in every panel."""
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    height = TOP + 18 * len(names) + (HEIGHT + GAP) * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 30}" height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>', f'<text x="8" y="20" font-size="14">{escape(title)}</text>']
    for row, name in enumerate(names):
        y = TOP + 18 * row
        parts.append(f'<rect x="{LEFT}" y="{y - 6}" width="14" height="4" fill="{colours[name]}"/>'
                     f'<text x="{LEFT + 20}" y="{y}">{escape(name)}</text>')
    for place, panel in enumerate(panels):
        parts += _panel(panel, colours, TOP + 18 * len(names) + 14 + (HEIGHT + GAP) * place)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, colours: dict[str, str], top: float) -> list[str]:
    points = [point for line in panel.lines for point in line.points]
    first, last = min((x for x, _ in points), default=0.0), max((x for x, _ in points), default=1.0)
    most = panel.y_most or max((y for _, y in points), default=1.0) or 1.0
    wide = (last - first) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + WIDTH * (x - first) / wide, top + HEIGHT * (1 - min(y, most) / most)

    parts = [f'<text x="{LEFT}" y="{top - 6:.0f}" font-weight="bold">{escape(panel.title)}</text>']
    for tick in range(_TICKS + 1):
        x, y = LEFT + WIDTH * tick / _TICKS, top + HEIGHT * (1 - tick / _TICKS)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" '
                     f'fill="#555">{escape(panel.y_text(most * tick / _TICKS))}</text>'
                     f'<text x="{x:.1f}" y="{top + HEIGHT + 14:.0f}" text-anchor="middle" fill="#555">'
                     f'{escape(panel.x_text(first + wide * tick / _TICKS))}</text>')
    for line in panel.lines:
        shown = _thinned(line, first, wide)
        path: list[str] = []
        for number, (x, y) in enumerate(shown):
            across, up = place(x, y)
            if line.steps and number:
                path.append(f"{across:.1f},{place(x, shown[number - 1][1])[1]:.1f}")
            path.append(f"{across:.1f},{up:.1f}")
        parts.append(f'<polyline fill="none" stroke="{colours[line.name]}" stroke-width="1.4" points="{" ".join(path)}">'
                     f"<title>{escape(line.name)}</title></polyline>")
    return parts


def _thinned(line: Line, first: float, wide: float) -> list[tuple[float, float]]:
    """At most POINTS points: of a course in steps its mean over each stretch, of another its value at the end of it."""
    if len(line.points) <= POINTS:
        return list(line.points)
    xs = [x for x, _ in line.points]
    found: list[tuple[float, float]] = []
    for number in range(POINTS):
        start, end = first + wide * number / POINTS, first + wide * (number + 1) / POINTS
        found.append((start, _mean(line.points, xs, start, end) if line.steps else line.points[max(0, bisect_right(xs, end) - 1)][1]))
    return found


def _mean(points: Sequence[tuple[float, float]], xs: Sequence[float], start: float, end: float) -> float:
    place = max(0, bisect_right(xs, start) - 1)
    total, at = 0.0, start
    while at < end:
        until = min(end, xs[place + 1]) if place + 1 < len(xs) else end
        total += (points[place][1] if xs[place] <= at else 0.0) * (until - at)
        at, place = until, place + 1
    return total / (end - start)
