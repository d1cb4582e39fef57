"""A schedule as an SVG drawing: a row a node, time from left to right, each job in a colour of its own."""

from __future__ import annotations

from html import escape

from slurm.model.schedule import Bar, Schedule
from slurm.notation import hostlist, moment
from slurm.render.gantt_text import span

ROW, LEFT, TOP, WIDTH = 18, 130, 46, 900
"""Pixels: of a node's row, of the names on the left, of the head, of the chart."""
MOST_ROWS = 400
"""Of a larger cluster only nodes that are in the plan are drawn, and so many of them."""
TICKS = 8


def drawing(found: Schedule, until: float = 0.0) -> str:
    """The whole document."""
    shown = span(found, until, WIDTH)
    names = hostlist.expand(found.nodes) if found.nodes else []
    if len(names) > MOST_ROWS:
        used = {name for bar in found.bars for name in hostlist.expand(bar.nodes)}
        names = [name for name in names if name in used][:MOST_ROWS]
    places = {name: row for row, name in enumerate(names)}
    height = TOP + ROW * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="16" font-size="13">{escape(f"Plan of cluster {found.cluster} at {moment.show(found.at)}")}</text>']
    for tick in range(TICKS + 1):
        x = LEFT + WIDTH * tick / TICKS
        label = moment.show(shown.start + (shown.end - shown.start) * tick / TICKS)[5:16].replace("T", " ")
        parts.append(f'<text x="{x:.1f}" y="{TOP - 8}" text-anchor="middle" fill="#555">{label}</text>')
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - 10}" stroke="#ddd"/>')
    parts += [f'<text x="{LEFT - 6}" y="{TOP + ROW * row + 13}" text-anchor="end">{escape(name)}</text>' for name, row in places.items()]
    lanes = _lanes(found.bars, places)
    for number, bar in enumerate(found.bars):
        first, last = LEFT + shown.column(bar.start), LEFT + (WIDTH if bar.endless else shown.column(bar.end))
        if first >= LEFT + WIDTH:
            continue
        parts.append(f'<g fill="{_colour(bar)}" {_STYLE[bar.planned]}><title>{escape(_told(bar))}</title>')
        for name in hostlist.expand(bar.nodes):
            if name in places:
                lane, count = lanes[number, name]
                y, tall = TOP + ROW * places[name] + 1 + (ROW - 2) * lane / count, (ROW - 2) / count
                parts.append(f'<rect x="{first}" y="{y:.1f}" width="{max(1, last - first)}" height="{tall:.1f}"/>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


_STYLE = {False: 'stroke="#333" stroke-width="0.5"', True: 'fill-opacity="0.45" stroke="#333" stroke-width="0.5" stroke-dasharray="3,2"'}


def _lanes(bars: list[Bar], places: dict[str, int]) -> dict[tuple[int, str], tuple[int, int]]:
    """For each job (by its place in `bars`) on each node: which part of the node's row it has, and of how many.

    Jobs that are there at one time have different parts.
    """
    ends: dict[str, list[float]] = {}
    given: dict[tuple[int, str], int] = {}
    for number, bar in sorted(enumerate(bars), key=lambda pair: pair[1].start):
        for name in hostlist.expand(bar.nodes):
            if name not in places:
                continue
            free = ends.setdefault(name, [])
            lane = next((lane for lane, end in enumerate(free) if end <= bar.start), len(free))
            free[lane:lane + 1] = [bar.end]
            given[number, name] = lane
    return {(number, name): (lane, len(ends[name])) for (number, name), lane in given.items()}


def _colour(bar: Bar) -> str:
    """Of a job's number, the same in each drawing; neighbours differ."""
    digits = "".join(char for char in bar.job.partition("_")[0] if char.isdigit())
    return f"hsl({int(digits or 0) * 137 % 360},65%,60%)"


def _told(bar: Bar) -> str:
    until = "without a time limit" if bar.endless else f"until {moment.show(bar.end)}"
    return f"job {bar.job} {bar.name} of {bar.user}, {bar.cpus} CPUs on {bar.nodes}: from {moment.show(bar.start)} {until}"
