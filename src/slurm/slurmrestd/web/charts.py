"""Plots and small pictures as SVG. Colours are classes of the style sheet, so that they follow light and dark; every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

LINE = 22
_LETTER = 7.0
_MOST_BARS = 400


class Bar(NamedTuple):
    """One bar of a chart: `parts` are (class, amount) from below."""

    label: str
    title: str
    parts: Sequence[tuple[str, float]]


class Span(NamedTuple):
    """A stretch of a row of a time chart, in seconds since the epoch; `place` is where a click leads."""

    row: str
    start: float
    end: float
    kind: str
    label: str
    title: str
    place: str = ""


class Point(NamedTuple):
    """A node of a graph, in one of its columns."""

    key: str
    column: int
    label: str
    kind: str
    place: str = ""


def meter(used: float, total: float, kind: str = "used", title: str = "") -> Markup:
    """A bar that is filled as far as `used` is of `total`."""
    share = 0.0 if total <= 0 else min(1.0, max(0.0, used / total))
    words = title or f"{share:.0%}"
    return Markup('<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{0}"><title>{0}</title>'
        '<rect class="track" width="100" height="8" rx="2"/><rect class="{1}" width="{2}" height="8" rx="2"/></svg>').format(
        words, kind, f"{share * 100:.1f}")


def bars(found: Sequence[Bar], most: float, unit: str, caption: str, *, height: int = 120) -> Markup:
    """Stacked bars beside each other, up to `most`; every sixth is labelled."""
    found = found[:_MOST_BARS]
    wide, left, below = 720.0, 44.0, 18.0
    step = (wide - left) / max(1, len(found))
    pieces = [Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/><text class="axis" x="{3}" y="{4}" '
        'text-anchor="end">{5}</text>').format(
            left, wide, height - height * part, left - 6, height - height * part + 4, _amount(most * part))
        for part in (0.0, 0.5, 1.0)]
    every = max(1, len(found) // 6)
    for number, bar in enumerate(found):
        at, x = float(height), left + number * step
        inside = []
        for kind, amount in bar.parts:
            size = 0.0 if most <= 0 else max(0.0, min(1.0, amount / most)) * height
            at -= size
            inside.append(Markup('<rect class="{0}" x="{1:.1f}" y="{2:.1f}" width="{3:.1f}" height="{4:.1f}"/>').format(
                kind, x + step * 0.1, at, step * 0.8, size))
        pieces.append(Markup("<g><title>{0}</title>{1}</g>").format(bar.title, Markup("").join(inside)))
        if number % every == 0:
            pieces.append(Markup('<text class="axis" x="{0:.1f}" y="{1}">{2}</text>').format(x, height + 14, bar.label))
    return Markup('<svg class="chart" viewBox="0 -8 {0} {1}" role="img" aria-label="{2}"><title>{2}</title>{3}</svg>').format(
        wide, height + below + 8, f"{caption} ({unit})", Markup("").join(pieces))


def _amount(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def rows_in_time(spans: Sequence[Span], since: float, until: float, labels: Mapping[float, str], caption: str, *,
        now: float = 0.0, wide: float = 900.0) -> Markup:
    """Rows of stretches over a time, each row named at its left; `labels` are moments of the axis."""
    names = list(dict.fromkeys(span.row for span in spans))
    longest = max((len(name) for name in names), default=0)
    left = min(180.0, 12 + longest * _LETTER) if longest else 2.0
    scale = (wide - left) / max(1.0, until - since)

    def across(moment: float) -> float:
        return left + (min(max(moment, since), until) - since) * scale

    tall = len(names) * LINE
    pieces = [Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>'
        '<text class="axis" x="{2:.1f}" y="{3}">{4}</text>').format(
        across(moment), tall, across(moment) + 3, tall + 14, words) for moment, words in labels.items() if since <= moment <= until]
    pieces += [Markup('<text class="axis" x="{0}" y="{1}" text-anchor="end">{2}</text>').format(
        left - 6, number * LINE + 15, _cut(name, 24))
        for number, name in enumerate(names)]
    for span in spans:
        x, end = across(span.start), across(span.end)
        inside = Markup('<title>{0}</title><rect class="{1}" x="{2:.1f}" y="{3}" width="{4:.1f}" height="{5}" rx="3"/>').format(
            span.title, span.kind, x, names.index(span.row) * LINE + 3, max(2.0, end - x), LINE - 6)
        fits = _cut(span.label, int((end - x) / _LETTER))
        if fits:
            inside += Markup('<text class="label" x="{0:.1f}" y="{1}">{2}</text>').format(x + 4, names.index(span.row) * LINE + 15, fits)
        pieces.append(Markup('<a href="{0}">{1}</a>').format(span.place, inside) if span.place else Markup("<g>{0}</g>").format(inside))
    if since < now < until:
        pieces.append(Markup('<line class="now" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(across(now), tall))
    role = "group" if any(span.place for span in spans) else "img"  # what has links in it is no picture to who hears the page
    return Markup('<svg class="chart" viewBox="0 0 {0} {1}" role="{4}" aria-label="{2}"><title>{2}</title>{3}</svg>').format(
        wide, tall + 20, caption, Markup("").join(pieces), role)


def _cut(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return text[:letters - 1] + "…" if letters > 2 else ""


def graph(points: Sequence[Point], arrows: Sequence[tuple[str, str, str]], caption: str) -> Markup:
    """Points in columns, and (from, to, word) arrows between them."""
    columns = sorted({point.column for point in points})
    wide, high = 190.0, 34.0
    at: dict[str, tuple[float, float]] = {}
    tallest = max((sum(point.column == column for point in points) for column in columns), default=1)
    for number, column in enumerate(columns):
        inside = [point for point in points if point.column == column]
        top = (tallest - len(inside)) * high / 2
        at.update({point.key: (number * (wide + 70) + 2, top + row * high + 2) for row, point in enumerate(inside)})
    pieces: list[Markup] = []
    for begin, end, word in arrows:
        if begin in at and end in at:
            (x, y), (to_x, to_y) = at[begin], at[end]
            pieces.append(Markup('<line class="arrow" x1="{0}" y1="{1}" x2="{2}" y2="{3}" marker-end="url(#tip)"/>'
                '<text class="axis" x="{4}" y="{5}" text-anchor="middle">{6}</text>').format(
                x + wide, y + 13, to_x - 3, to_y + 13, (x + wide + to_x) / 2, (y + to_y) / 2 + 9, word))
    for point in points:
        x, y = at[point.key]
        box = Markup('<rect class="box {0}" x="{1}" y="{2}" width="{3}" height="26" rx="5"/>'
            '<text class="label" x="{4}" y="{5}">{6}</text>').format(
            point.kind, x, y, wide, x + 8, y + 17, _cut(point.label, 25))
        pieces.append(Markup('<a href="{0}">{1}</a>').format(point.place, box) if point.place else box)
    whole = len(columns) * (wide + 70) - 66
    return Markup('<svg class="graph" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="group" aria-label="{2}"><title>{2}</title><defs>'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" '
        'd="M0,0L8,4L0,8z"/></marker></defs>{3}</svg>').format(whole, tallest * high + 4, escape(caption), Markup("").join(pieces))
