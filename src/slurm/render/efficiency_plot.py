"""The lines of `slurm report` as a picture: bars of what was used of CPUs, memory and GPUs, SVG by itself or in a page of HTML with the
table.

Written by hand: a few rectangles and texts need no library for plots. Nothing is loaded from elsewhere, and nothing in it is a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from slurm.notation import duration
from slurm.render.efficiency import Share
from slurm.render.efficiency_report import HEADER, Line

MOST_LINES = 500
"""So many are drawn; the others are counted below."""
_COLORS = {"CPU": "#4878a8", "memory": "#6aa76a", "GPU": "#b8803c"}
_LEFT, _WIDTH, _RIGHT, _BAR, _GAP, _TOP = 170, 480, 130, 11, 14, 58
_LONGEST_KEY = 24
_STYLE = (
    "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}")


def svg(lines: Sequence[Line], title: str) -> str:
    """A drawing: for each line a bar for CPUs, memory and GPUs, as far as they were measured; 100 % is the whole width."""
    drawn = lines[:MOST_LINES]
    parts: list[str] = []
    y = _TOP
    for line in drawn:
        parts.append(_text(_LEFT - 8, y + 10, _short(line.key), "end", title=f"{line.key}: {line.jobs} jobs, {line.failed} of them not ok"))
        bars = [(name, share) for name, share in (("CPU", line.cpu), ("memory", line.memory), ("GPU", line.gpu))
            if share.percent is not None]
        for name, share in bars:
            parts.append(_bar(y, name, share))
            y += _BAR + 2
        if not bars:
            parts.append(_text(_LEFT + 4, y + 10, "not measured", color="#777777"))
            y += _BAR + 2
        y += _GAP
    if len(lines) > len(drawn):
        parts.append(_text(_LEFT, y + 10, f"and {len(lines) - len(drawn)} more"))
        y += 2 * _GAP
    width, height = _LEFT + _WIDTH + _RIGHT, y + 10
    grid = [
        f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 10}" stroke="#dddddd"/>' + _text(x, _TOP - 12, f"{percent} %", "middle")
        for percent in (0, 25, 50, 75, 100) for x in [_LEFT + _WIDTH * percent // 100]]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11">\n<title>{escape(title)}</title>\n<rect width="{width}" height="{height}" '
        'fill="#ffffff"/>\n'
        + _text(10, 20, title, size=14) + "\n" + _legend() + "\n" + "\n".join([*grid, *parts]) + "\n</svg>\n")


def html(lines: Sequence[Line], by: str, title: str) -> str:
    """A page with the drawing and the table."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (by.upper(), *HEADER))
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (_printable(line.key), *line.cells())) + "</tr>"
        for line in lines)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n'
        f"<body>\n{svg(lines, title)}<table>\n<tr>{head}</tr>\n{body}\n</table>\n</body>\n</html>\n")


def _bar(y: int, name: str, share: Share) -> str:
    percent = share.percent or 0.0
    long = _WIDTH * min(percent, 100.0) / 100.0
    told = f"{name}: {percent:.1f} % of {duration.show_clock(round(share.held))} held" if name != "memory" else f"memory: {percent:.1f} %"
    return (
        f'<g><title>{escape(told)}</title><rect x="{_LEFT}" y="{y}" width="{_WIDTH}" height="{_BAR}" fill="#f0f0f0"/>'
        f'<rect x="{_LEFT}" y="{y}" width="{long:.1f}" height="{_BAR}" fill={quoteattr(_COLORS[name])}/></g>'
        + _text(_LEFT + _WIDTH + 8, y + 10, f"{percent:.1f} % {name}"))


def _legend() -> str:
    return "".join(
        f'<rect x="{_LEFT + 110 * place}" y="28" width="10" height="10" fill={quoteattr(color)}/>' + _text(_LEFT + 110 * place + 15, 37,
        name)
        for place, (name, color) in enumerate(_COLORS.items()))


def _text(x: float, y: float, text: str, anchor: str = "start", *, size: int = 11, color: str = "#222222", title: str = "") -> str:
    told = f"<title>{escape(_printable(title))}</title>" if title else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{color}">{told}{escape(_printable(text))}</text>'


def _short(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY - 1] + "…"


def _printable(text: str) -> str:
    """XML has no way to say control characters."""
    return "".join(_kept(text))


def _kept(text: str) -> Iterable[str]:
    return (char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
