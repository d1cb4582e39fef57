"""A schedule as lines of text: a row a job, time from left to right."""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.schedule import Bar, Schedule
from slurm.notation import duration, moment
from slurm.notation.printable import printable

LEAST_WIDTH = 24
"""Marks of a chart at least, however narrow the terminal."""
_STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000)
"""Seconds that may lie between two times at the head of a chart."""
_LABEL = 12
_LONGEST = 24


class Marks(NamedTuple):
    """What jobs are drawn with: those that run, those that are planned, and the end of one that has no limit."""

    runs: str
    planned: str
    endless: str


BLOCKS = Marks("█", "░", "▶")
ASCII = Marks("#", "-", ">")


class Span(NamedTuple):
    """The time that a chart shows, in seconds since the epoch, and how many marks it is wide."""

    start: float
    end: float
    width: int

    def column(self, at: float) -> int:
        """Where a moment stands, from 0 to `width`."""
        return max(0, min(self.width, round((at - self.start) / (self.end - self.start) * self.width)))


def span(found: Schedule, until: float = 0.0, width: int = 60) -> Span:
    """From its moment to `until`, or to where the last job that has an end has ended."""
    ends = [bar.end for bar in found.bars if not bar.endless] + [bar.start + 3600 for bar in found.bars if bar.endless and bar.planned]
    end = until or max(ends, default=found.at + 3600)
    return Span(found.at, max(end, found.at + 60), max(LEAST_WIDTH, width))


def lines(found: Schedule, *, until: float = 0.0, width: int = 100, marks: Marks = BLOCKS, most: int = 0) -> list[str]:
    """The chart, `width` letters wide; `most` bounds how many jobs it shows (0: all)."""
    if not found.bars and not found.waiting:
        return [f"Nothing runs or waits on cluster {found.cluster}."]
    bars = found.bars[:most] if most else found.bars
    rows = [_cells(bar, found.at) for bar in bars]
    header = ["JOB", "NAME", "USER", "NODES", "START"]
    rows_cut = [[cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST - 1]}~" for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows_cut, strict=True)]
    left = sum(widths) + 2 * len(widths)
    shown = span(found, until, width - left)
    told = [printable(f"Plan of cluster {found.cluster} at {moment.show(found.at)}, until {moment.show(shown.end)}; "
                      f"a mark is {duration.show((shown.end - shown.start) / shown.width)}")]
    told.append(_row(header, widths) + _scale(shown))
    told += [_row(row, widths) + _drawn(bar, shown, marks) for row, bar in zip(rows_cut, bars, strict=True)]
    if len(bars) < len(found.bars):
        told.append(f"… and {len(found.bars) - len(bars)} more")
    return told + _without(found, most)


def _without(found: Schedule, most: int) -> list[str]:
    """The jobs for which no start is in sight."""
    named = found.waiting[:most] if most else found.waiting
    told = [printable(f"  {one.job} ({one.name}, {one.user}) in {one.partition}: {one.reason or 'not looked at yet'}") for one in named]
    more = len(found.waiting) - len(named) + found.left_out
    if told or more:
        told.insert(0, "No start is planned for:")
    return [*told, f"  … and {more} more"] if more else told


def _cells(bar: Bar, at: float) -> list[str]:
    planned = "now" if bar.start <= at else moment.show(bar.start)[5:16].replace("T", " ")
    start = planned if bar.planned else "runs"
    return [printable(cell) for cell in (bar.job, bar.name, bar.user, bar.nodes, start)]


def _row(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{cell:<{wide}}  " for cell, wide in zip(cells, widths, strict=True))


def _scale(shown: Span) -> str:
    """Times above the chart, at round moments far enough from each other."""
    least = (shown.end - shown.start) * _LABEL / shown.width
    step = next((step for step in _STEPS if step >= least), _STEPS[-1])
    text = ""
    at = shown.start - shown.start % step + step if shown.start % step else shown.start
    while at < shown.end:
        place = shown.column(at)
        label = moment.show(at)[5:10] if step >= 86400 else moment.show(at)[11:16]
        if place >= len(text) and place + len(label) <= shown.width:
            text += " " * (place - len(text)) + label
        at += step
    return text.rstrip()


def _drawn(bar: Bar, shown: Span, marks: Marks) -> str:
    first = shown.column(bar.start)
    last = shown.width if bar.endless else max(first + 1, shown.column(bar.end))
    if first >= shown.width:
        return " " * (shown.width - 1) + marks.endless
    mark = (marks.planned if bar.planned else marks.runs) * (min(last, shown.width) - first)
    cut = bar.endless or bar.end > shown.end
    return " " * first + (mark[:-1] + marks.endless if cut else mark)
